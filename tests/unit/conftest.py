"""What several unit tests write: tensors of PyTorch's in other forms, checkpoints of TensorFlow 1."""

import pytest
import tensorflow as tf
import torch_files


@pytest.fixture(scope="session")
def rebuilt():
    """rebuilt(array, function, storage): see `torch_files.Rebuilt`."""
    return torch_files.Rebuilt


@pytest.fixture(scope="session")
def save_release():
    """save_release(folder, arrays) -> prefix of what a TensorFlow 1 Saver writes: plain names, no object graph."""

    def save(folder, arrays):
        names, values, prefix = list(arrays), list(arrays.values()), str(folder / "snap-0")
        tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)
        return prefix

    return save
