"""Encoded inputs of an exported model: whole files, or a sentence with the input's name."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.ops.decode import decode_image
from tf_inpaint.serving.checks import Checks

IMAGE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)


def _decode(contents):
    check = Checks(1 << 20)
    decode = tf.function(lambda contents: check.file("mask_bytes", contents, decode_image), autograph=False)
    return decode(tf.constant(contents)).numpy()


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_whole_files_are_decoded_and_truncated_ones_named(ending):
    contents = cv2.imencode(ending, IMAGE)[1].tobytes()
    assert _decode(contents).shape == IMAGE.shape
    assert _decode(contents + b"a trailer").shape == IMAGE.shape
    for length in (len(contents) // 2, len(contents) - 9 if ending == ".png" else len(contents) - 2):
        with pytest.raises(tf.errors.InvalidArgumentError, match="`mask_bytes` must be a whole file"):
            _decode(contents[:length])


def test_the_end_of_a_thumbnail_is_not_the_end():
    contents = cv2.imencode(".jpg", IMAGE)[1].tobytes()
    thumbnail = b"\xff\xe1\x04\x02" + b"\0" * 1022 + b"\xff\xd9"
    contents = contents[:2] + thumbnail + contents[2:]
    assert _decode(contents).shape == IMAGE.shape
    with pytest.raises(tf.errors.InvalidArgumentError, match="`mask_bytes` must be a whole file"):
        _decode(contents[: len(contents) * 3 // 4])


def test_what_decoders_complain_of_names_the_input():
    contents = bytearray(cv2.imencode(".png", IMAGE)[1].tobytes())
    contents[len(contents) // 2] ^= 255
    with pytest.raises(tf.errors.InvalidArgumentError, match="(?s)Invalid PNG data.*mask_bytes/"):
        _decode(bytes(contents))
    contents = bytearray(cv2.imencode(".jpg", IMAGE)[1].tobytes())
    contents[contents.index(b"\xff\xc4") + 4] = 0xE9  # of a table that the size stands behind
    with pytest.raises(tf.errors.InvalidArgumentError, match="(?s)Invalid JPEG data.*mask_bytes/"):
        _decode(bytes(contents))
