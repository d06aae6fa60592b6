"""Which exported models are run, as TensorFlow runs whatever a SavedModel contains; and what is known of them."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint import Inpainter
from tf_inpaint.errors import InputError

_INPUTS = [(3, "image"), (1, "mask")]


def _stranger(folder, target, notes):
    """A model that writes a file when it completes an image."""
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, "image")] * 2, autograph=False)
    def complete(image, mask):
        tf.io.write_file(target, "written")
        return {"completed": image}

    module.complete = complete
    tf.saved_model.save(module, str(folder), complete)
    if notes:
        (folder / "assets.extra").mkdir()
        (folder / "assets.extra" / "tf_inpaint.json").write_text("{}")


@pytest.mark.parametrize("notes, said", [(False, "not one of this project"), (True, "has the operation WriteFile")])
def test_a_stranger_is_loaded_only_where_it_is_trusted(tmp_path, notes, said):
    _stranger(tmp_path / "model", str(tmp_path / "target"), notes)
    with pytest.raises(InputError, match=f"{said}.*only if you trust who made it, give trust_saved_model"):
        Inpainter.load(str(tmp_path / "model"))
    try:
        Inpainter.load(str(tmp_path / "model"), trust_saved_model=True)
    except InputError as error:
        assert "trust" not in str(error)  # it was loaded, and takes other inputs


@pytest.mark.parametrize(
    "size, notes, trained_size, exact_pixels, strategy",
    [
        (None, {}, 256, None, "exact"),
        (None, {"trained_size": 64, "whole_pixels": 1 << 21, "max_pixels": 1 << 20}, 64, 1 << 20, "resize"),
        (None, {"trained_size": 64, "fixed_size": 64, "whole_pixels": None}, 64, None, "exact"),
        ((200, 200), {"trained_size": 64, "whole_pixels": 1 << 14, "max_pixels": 1 << 20}, 64, None, "exact"),
    ],
)
def test_an_exported_model_knows_its_training(tmp_path, size, notes, trained_size, exact_pixels, strategy):
    specs = [tf.TensorSpec([None, *(size or (None, None)), depth], tf.uint8, name) for depth, name in _INPUTS]
    module = tf.Module()
    module.complete = tf.function(lambda image, mask: {"completed": image}, input_signature=specs, autograph=False)
    tf.saved_model.save(module, str(tmp_path), module.complete)
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "tf_inpaint.json").write_text(json.dumps(notes))
    inpainter, mask = Inpainter.load(str(tmp_path)), np.zeros((200, 200), bool)
    mask[20:180, 20:180] = True  # thicker than two sides of 64
    assert (inpainter.trained_size, inpainter.exact_pixels) == (trained_size, exact_pixels)
    assert inpainter.strategy_for(mask) == strategy
