"""Any bytes as an encoded image of a served model: pixels, or an error of that request; cut ones are named."""

import cv2
import numpy as np
import tensorflow as tf

from tf_inpaint.ops.decode import decode_image, decode_mask
from tf_inpaint.serving.checks import Checks

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
FILES = [cv2.imencode(ending, image)[1].tobytes() for ending in (".png", ".jpg") for image in (IMAGE, IMAGE[..., 0])]
DECODERS = {"image_bytes": decode_image, "mask_bytes": decode_mask}


@tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
def _decoded(contents):
    return {name: Checks(1 << 16).file(name, contents, decode) for name, decode in DECODERS.items()}


def test_encoded_files(cases):
    for number, random in cases(400):
        data = bytearray(random.choice(FILES))
        cut = random.random() < 0.4
        if cut:
            data = data[: random.randrange(8, len(data) - 12)]
        else:
            for _ in range(random.randint(1, 9)):
                data[random.randrange(len(data))] = random.randrange(256)
        try:
            outputs = _decoded(tf.constant(bytes(data)))
        except tf.errors.OpError as error:
            assert not cut or "_bytes` must " in str(error), (number, error)
        else:
            assert not cut, number
            assert outputs["image_bytes"].shape[-1] == 3 and outputs["mask_bytes"].dtype == tf.uint8, number
