"""Which exported models are run: TensorFlow runs whatever a SavedModel contains."""

import pytest
import tensorflow as tf

from tf_inpaint import Inpainter
from tf_inpaint.errors import InputError


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
