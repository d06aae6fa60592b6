"""Any bytes as encoded files of a served model: pixels, or an error of that request that names what is wrong."""

import re

import cv2
import numpy as np
import pytest
import tensorflow as tf
from small_recipes import make_recipe

from tf_inpaint.ops.decode import decode_image, decode_mask
from tf_inpaint.serving.checks import Checks
from tf_inpaint.serving.signatures import ServedModel

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


SIDES = [(1, 1), (40, 50), (3, 70), (64, 64), (5, 4100)]  # the last is too thin


def _file(random, shape, kinds):
    ending = random.choice(kinds)
    return cv2.imencode(ending, np.full(shape, random.choice([0, 255]), np.uint8))[1].tobytes()


def _damaged(random, contents):
    """What is left of a file, or something else."""
    if not contents or random.random() < 0.2:
        return random.choice([b"", b"<html>", bytes(200), random.randbytes(300), b"\x89PNG", contents + contents])
    contents = bytearray(contents[: random.choice([len(contents), random.randrange(len(contents))])])
    for _ in range(random.randint(0, 5) * bool(contents)):
        contents[random.randrange(len(contents))] = random.randrange(256)
    return bytes(contents)


@pytest.fixture(scope="module")
def serve():
    model = ServedModel(make_recipe("deepfill_v2", guided=True), max_pixels=1 << 14)
    return model.signatures()["encoded"]


def test_encoded_requests(cases, serve):
    for number, random in cases(100):
        sizes = [random.choice(SIDES[: random.choice([4, 4, 4, 5])]) for _ in range(random.choice([1, 1, 1, 2, 3]))]
        files = {
            "image_bytes": [_file(random, (*size, 3), [".png", ".jpg"]) for size in sizes],
            "mask_bytes": [_file(random, size, [".png", ".jpg"]) for size in sizes],
            "edges_bytes": [random.choice([b"", _file(random, size, [".png"])]) for size in sizes],
        }
        sound = random.random() < 0.3 and SIDES[4] not in sizes
        for _ in range(0 if sound else random.randint(1, 2)):
            field = random.choice([*files])
            index = random.randrange(len(files[field])) if files[field] else 0
            other = random.choice(SIDES)
            files[field][index : index + 1] = random.choice(
                [[], [_file(random, (*other, 3), [".png"])], [_damaged(random, (files[field] or [b"x"])[index])]]
            )
        try:
            answers = serve(**{name: tf.constant(each, tf.string) for name, each in files.items()})["completed_bytes"]
        except tf.errors.OpError as error:
            assert not sound, (number, error)
            named = re.search(r"image_bytes|mask|edges|a request must have at least one image", str(error))
            assert named, (number, error)
        else:
            got = [cv2.imdecode(np.frombuffer(answer, np.uint8), cv2.IMREAD_COLOR) for answer in answers.numpy()]
            assert len(got) == len(files["image_bytes"]), number
            assert not sound or [image.shape[:2] for image in got] == sizes, number
