"""The engine of a model exported for serving."""

from __future__ import annotations

import re

import numpy as np
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.inference.engine import Engine
from tf_inpaint.logs import without_warnings


class SavedModelEngine(Engine):
    """Completes with an exported model, which has the outputs that were exported, never "predicted".

    Args:
        folder: of a version, with its saved_model.pb.
    Raises:
        InputError: if the folder holds no such model.
    """

    def __init__(self, folder):
        try:
            with without_warnings("absl"):  # that it has no gradients, which nobody wants of it
                self._model = tf.saved_model.load(folder)  # kept, since its weights live no longer than it
        except (tf.errors.OpError, OSError, RuntimeError, ValueError, KeyError) as error:
            raise InputError(f"{folder} cannot be read as an exported model ({error})") from error
        self._serve = self._model.signatures.get("serving_default")
        inputs = self._serve.structured_input_signature[1] if self._serve is not None else {}
        if not {"image", "mask"} <= set(inputs) <= {"image", "mask", "edges"}:
            raise InputError(f"{folder} is a SavedModel, but not one of this project: it takes {sorted(inputs)}")
        self.guided = "edges" in inputs
        self._size = inputs["image"].shape[1:3]

    def run(self, image, mask, edges, all_outputs):
        if not self._size.is_compatible_with(image.shape[1:3]):
            raise InputError(f"this model was exported for images of {self._size[1]} x {self._size[0]} pixels alone")
        inputs = {"image": image, "mask": _to_levels(mask), **({"edges": _to_levels(edges)} if self.guided else {})}
        try:
            outputs = self._serve(**{name: tf.constant(value) for name, value in inputs.items()})
        except tf.errors.InvalidArgumentError as error:
            said = re.search(r"assertion failed: (.*)", str(error))
            raise InputError(f"the exported model refuses this: {said[1] if said else error}") from error
        return {"attention" if name == "attention_flow" else name: value for name, value in outputs.items()}


def _to_levels(mask):
    """bool [B, H, W] as uint8 0 and 255 [B, H, W, 1]."""
    return np.where(mask, np.uint8(255), np.uint8(0))[..., np.newaxis]
