"""Warm-up requests: what TensorFlow Serving asks a model before it serves it, so that no client meets a cold one."""

from __future__ import annotations

import math
import os

import numpy as np
import tensorflow as tf

from tf_inpaint.serving import messages

FILE = "tf_serving_warmup_requests"
_SIDE = 256


def write_warmup(folder: str, model: str, guided: bool, max_pixels: int, size=None) -> None:
    """Writes one request for each signature, of a grey image with a hole in its middle.

    A server gives up a model that refuses one.

    Args:
        folder: `assets.extra` of the model.
        model: its name; servers do not look at it.
        guided: whether images come with edges.
        max_pixels: largest image that the model accepts.
        size: (height, width) of the image; None is 256 x 256, or smaller where that is too large.
    """
    height, width = size or (min(_SIDE, math.isqrt(max_pixels)),) * 2
    image, mask = np.full((height, width, 3), 128, np.uint8), np.zeros((height, width, 1), np.uint8)
    mask[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = 255  # never all of it, however small
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
