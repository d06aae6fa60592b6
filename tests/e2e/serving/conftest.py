"""Narrow, untrained models of every kind, exported once for all tests, images to ask them with, and a server."""

import dataclasses
import functools
import shutil

import numpy as np
import pytest
import tensorflow as tf
from model_servers import ModelServer, StandIn

from tf_inpaint.export import export
from tf_inpaint.inference.inpainter import Inpainter
from tf_inpaint.models.weights import named_weights
from tf_inpaint.recipes import RECIPES

# Name -> recipe, options, and what multiplies kernels so that predictions differ visibly from place to place.
MODELS = {
    "deepfill_v1": ("deepfill_v1", {"width": 4, "critic_width": 4, "local_patch": (32, 32)}, 1.2),
    "deepfill_v2": ("deepfill_v2", {"width": 8, "critic_width": 4}, 2.5),
    "guided": ("deepfill_v2", {"width": 8, "critic_width": 4, "guided": True}, 2.5),
    "pen_net": ("pen_net", {"width": 4, "critic_width": 4}, 10.0),
    "context_encoder": ("context_encoder", {"image_size": 32, "width": 4, "critic_width": 4, "bottleneck": 8}, 2.5),
    "lama": ("lama", {"width": 4, "blocks": 2, "critic_width": 4, "perceptual_weight": 0.0}, 2.0),
}


@dataclasses.dataclass
class Exported:
    """An Inpainter and what became of it."""

    inpainter: Inpainter
    folder: str  # of its first version

    @functools.cached_property
    def signatures(self):
        self._loaded = tf.saved_model.load(self.folder)  # weights live no longer than it
        return self._loaded.signatures

    def ask(self, inputs, signature="serving_default"):
        """name -> array of a signature's outputs."""
        outputs = self.signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}


def _make_inpainter(model):
    tf.keras.utils.set_random_seed(1)
    recipe, options, contrast = MODELS[model]
    recipe = RECIPES[recipe](RECIPES[recipe].Options(**options))
    side = options.get("image_size", 64)
    recipe.build(side, side)
    for name, weight in named_weights(recipe.generator).items():
        weight.assign(weight * (contrast if "kernel" in name else 1.0))
    return Inpainter.of(recipe, residuals=1.0 if model == "guided" else 0.0)


@pytest.fixture(scope="module", autouse=True)
def _seed():
    """Once: with every seed TensorFlow forgets what it made of the graphs that these tests share."""
    tf.keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """exported(model) -> Exported, made once; DeepFill v1's has all outputs."""

    @functools.lru_cache(maxsize=None)
    def get(model):
        inpainter = _make_inpainter(model)
        outputs = ("coarse", "attention_flow") if model == "deepfill_v1" else ()
        return Exported(inpainter, export(inpainter, str(tmp_path_factory.mktemp("models") / model), outputs=outputs))

    return get


@dataclasses.dataclass
class Case:
    """Images of one size with a mask and edges each: uint8 [N, H, W, 3], [N, H, W, 1] and [N, H, W, 1]."""

    images: np.ndarray
    masks: np.ndarray
    edges: np.ndarray

    def arrays(self, guided=True):
        """The inputs of `serving_default`."""
        return {"image": self.images, "mask": self.masks, **({"edges": self.edges} if guided else {})}

    def files(self, guided=True):
        """The inputs of `encoded`: PNG files."""
        arrays = self.arrays(guided).items()
        return {f"{name}_bytes": np.array([encode(one) for one in array], object) for name, array in arrays}

    def first(self, guided=True):
        """What `Inpainter.complete` takes of the first image."""
        return [self.images[0], self.masks[0, ..., 0], *([self.edges[0, ..., 0]] if guided else [])]

    def expected(self, inpainter):
        """What Inpainter makes of each image by itself; with residuals in the holes alone, as it is exported."""
        edges = self.edges[..., 0] if inpainter.takes_edges else [None] * len(self.images)
        tasks = zip(self.images, self.masks[..., 0], edges)
        outputs = [inpainter.outputs(*task, all_outputs=not inpainter.residuals) for task in tasks]
        return {name: np.stack([output[name] for output in outputs]) for name in outputs[0] if name != "predicted"}

    def write(self, folder):
        """x.png, m.png and e.png of the first image."""
        for name, array in zip("xme", (self.images, self.masks, self.edges)):
            (folder / f"{name}.png").write_bytes(encode(array[0]))


def encode(array):
    return tf.io.encode_png(array).numpy()


@pytest.fixture(scope="session")
def make_case():
    """make_case(height, width, count) -> Case; every hole touches the lower right corner, and no two are alike."""

    def make(height, width, count=1):
        rng = np.random.default_rng([height, width, count])
        images = rng.integers(0, 256, (count, height, width, 3), np.uint8)
        masks = np.zeros((count, height, width, 1), np.uint8)
        for i in range(count):
            masks[i, height // 2 :, (i + 1) * width // 5 :] = 255
        return Case(images, masks, np.where(rng.random(masks.shape) < 0.1, np.uint8(255), np.uint8(0)))

    return make


@pytest.fixture(scope="session", params=["stand-in", "tensorflow_model_server"])
def server(request, exported):
    """A server of the guided model under the name "guided", with addresses `rest` and `grpc`."""
    program = shutil.which("tensorflow_model_server")
    if request.param == "stand-in":
        running = StandIn(exported("guided").folder, "guided")
    elif program is None:
        pytest.skip("there is no tensorflow_model_server on PATH")
    else:
        running = ModelServer(program, exported("guided").folder, "guided")
    with running:
        yield running
