"""Warm-up requests: what TensorFlow Serving asks a model before it serves it, so that no client meets a cold one."""

from __future__ import annotations

import os

import numpy as np
import tensorflow as tf

from tf_inpaint.serving import messages

FILE = "tf_serving_warmup_requests"
_SIDE = 256


def write_warmup(folder: str, model: str, guided: bool, size=None) -> None:
    """Writes one request for each signature, of a grey image with a hole in its middle.

    Args:
        folder: `assets.extra` of the model.
        model: its name; servers do not look at it.
        guided: whether images come with edges.
        size: (height, width) of the image; None is 256 x 256.
    """
    height, width = size or (_SIDE, _SIDE)
    image, mask = np.full((height, width, 3), 128, np.uint8), np.zeros((height, width, 1), np.uint8)
    mask[height // 4 : height - height // 4, width // 4 : width - width // 4] = 255
    arrays = {"image": image, "mask": mask, **({"edges": np.zeros_like(mask)} if guided else {})}
    files = {f"{name}_bytes": tf.io.encode_png(array).numpy() for name, array in arrays.items()}
    requests = {
        "serving_default": {name: array[np.newaxis] for name, array in arrays.items()},
        "encoded": {name: np.array([contents], object) for name, contents in files.items()},
    }
    with tf.io.TFRecordWriter(os.path.join(folder, FILE)) as writer:
        for signature, inputs in requests.items():
            request = messages.read("PredictRequest", messages.predict_request(model, signature, inputs))
            writer.write(messages.write("PredictionLog", predict_log={"request": request}))
