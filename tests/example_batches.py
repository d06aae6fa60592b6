"""Training examples for tests, as arrays."""

import numpy as np

from tf_inpaint.config import DataConfig
from tf_inpaint.data.dataset import ImageData
from tf_inpaint.ops.masks import MaskOptions

MASK = MaskOptions(height=12, width=16, max_delta_height=4, max_delta_width=4)


def image_data(train, mask=MASK, seed=0, **options):
    """Data of 32 x 32 with small boxes for masks, unless told otherwise."""
    options = {"image_size": (32, 32), "parallel_calls": 4, "max_broken_fraction": 0.5, **options}
    return ImageData(DataConfig(train=str(train), **options), mask, seed)


def take(dataset, count):
    """The first batches of a dataset."""
    return [{name: value.numpy() for name, value in batch.items()} for batch in dataset.take(count)]


def joined(batches):
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def first_batch(data, count=40):
    return take(data.dataset(0, count), 1)[0]


def validation_batch(data, count):
    return take(data.validation(count, count), 1)[0]
