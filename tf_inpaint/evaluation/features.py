"""Distances between what image classifiers see: FID of all completions, a VGG distance of each.

Both need trained weights, which are not shipped; without them the table says so. The features of every picture are kept
on disk, so that an evaluation goes on where it stopped, and the statistics are streamed from there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from pathlib import Path
from typing import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.evaluation.measures import LOWER, SET, WHOLE, Measure
from tf_inpaint.io.shards import EVERYTHING, Shard
from tf_inpaint.ops.levels import from_levels

INCEPTION_FEATURES = 2048
_INCEPTION_SIDE = 299
_VGG_LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3")
_KERAS_FILES = {
    "inception": "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "vgg": "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
}
DOWNLOAD = "download"
_CHUNK = 256  # rows of features in memory at a time

FID = Measure(
    "fid",
    SET,
    "InceptionV3 features",
    "|mu-mu'|^2 + tr(S + S' - 2 (S S')^1/2) of Keras' InceptionV3 (not the network of published FIDs; biased upwards "
    "for few pictures: compare at equal counts)",
    LOWER,
    digits=2,
)
VGG = Measure(
    "vgg_distance",
    WHOLE,
    "VGG16 features",
    "LPIPS without its learnt weights: at five layers of Keras' VGG16 mean over places of |f/|f| - f'/|f'||^2, summed",
    LOWER,
)


def weights_file(kind: str, given: str | None) -> tuple[str | None, str]:
    """The weights of "inception" or "vgg", or why there are none.

    Args:
        given: a file of Keras' weights without top; "download" for Keras' own download; None takes the file that such
            a download has left here.
    Returns:
        (file, "") or (None, reason).
    Raises:
        InputError: if a file is named that does not exist.
    """
    kept = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models" / _KERAS_FILES[kind]
    if given and given != DOWNLOAD:
        if not os.path.isfile(given):
            raise InputError(f"--{kind}_weights: there is no file {given}")
        return given, ""
    if kept.is_file():
        return str(kept), ""
    if given is None:
        return None, f"no weights at hand: give --{kind}_weights FILE, or download for Keras' own"
    try:
        network = tf.keras.applications.InceptionV3 if kind == "inception" else tf.keras.applications.VGG16
        network(include_top=False, weights="imagenet")
    except Exception as error:  # whatever a network, a proxy or a server does
        return None, f"its weights could not be downloaded: {_short(error)}"
    return str(kept), ""


def file_digest(path: str) -> str:
    """SHA-256 of a file's contents."""
    whole = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            whole.update(block)
    return whole.hexdigest()


class Inception:
    """The 2048 averaged features of InceptionV3, of pictures stretched to 299 x 299 (bilinear).

    Args:
        weights: file of Keras' weights without top.
    """

    def __init__(self, weights: str):
        side = _INCEPTION_SIDE
        self._network = _load(tf.keras.applications.InceptionV3, weights, pooling="avg", input_shape=(side, side, 3))
        self._graph = tf.function(self._run, autograph=False)

    def features(self, pictures: np.ndarray) -> np.ndarray:
        """float32 [B, 2048] of uint8 [B, H, W, 3]."""
        return self._graph(tf.constant(pictures)).numpy()

    def _run(self, pictures):
        stretched = tf.image.resize(tf.cast(pictures, tf.float32), [_INCEPTION_SIDE] * 2, "bilinear", antialias=True)
        return self._network(from_levels(stretched), training=False)


class VggDistance:
    """LPIPS-like distance: unit-length VGG16 features, their squared differences.

    Args:
        weights: file of Keras' weights without top.
    Reference: Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric", equation 1.
    Deviations: all weights w are 1, as the learnt ones are not Keras'; VGG16 at its own input scale.
    """

    def __init__(self, weights: str):
        whole = _load(tf.keras.applications.VGG16, weights)
        outputs = [whole.get_layer(name).output for name in _VGG_LAYERS]
        self._network = tf.keras.Model(whole.inputs, outputs)
        self._graph = tf.function(self._run, autograph=False)

    def distances(self, image: np.ndarray, completions: np.ndarray) -> np.ndarray:
        """float32 [M] between uint8 [H, W, 3] and each of uint8 [M, H, W, 3]."""
        return self._graph(tf.constant(np.concatenate([image[np.newaxis], completions]))).numpy()

    def _run(self, pictures):
        preprocessed = tf.keras.applications.vgg16.preprocess_input(tf.cast(pictures, tf.float32))
        total = 0.0
        for features in self._network(preprocessed, training=False):
            unit = features / (tf.norm(features, axis=-1, keepdims=True) + 1e-10)
            total += tf.reduce_mean(tf.reduce_sum(tf.square(unit[1:] - unit[:1]), axis=-1), axis=[1, 2])
        return total


def _load(network, weights, **options):
    try:
        return network(include_top=False, weights=weights, **options)
    except Exception as error:  # h5py and Keras raise half a dozen types
        what = f"{weights} are not Keras' weights of {network.__name__} without top"
        raise InputError(f"{what}: {_short(error)}") from error


def _short(error):
    """What an error says, on one line and without the addresses."""
    return re.sub(r"\s+on\s+https?://\S+|https?://\S+", "", " ".join(str(error).split()))[:160].rstrip(" :")


class FeatureFile:
    """Features of pictures on disk: float32 rows, written in any order, of each part of an evaluation in a file.

    Args:
        path: of the file of the whole; the names of the parts' files end in their suffix, before ".f32".
        width: of a row.
        shard: the part whose features are written here.
    """

    def __init__(self, path, width: int, shard: Shard = EVERYTHING):
        self._path, self._bytes, self._shard = Path(path), 4 * width, shard

    def write(self, number: int, row: np.ndarray) -> None:
        """Keeps the features of a picture."""
        path = self._path_of(self._shard)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "r+b" if path.exists() else "w+b") as file:
            file.seek(self._offset(number, self._shard))
            file.write(np.ascontiguousarray(row, "<f4").tobytes())

    def chunks(self, numbers: Sequence[int], part_of: Callable[[int], Shard]) -> Iterable[np.ndarray]:
        """float64 [n, width], n at most a few hundred: the features of these pictures in order.

        Args:
            numbers: of the pictures.
            part_of: function of a picture's number to the part that measured it.
        Raises:
            InputError: if they are not there.
        """
        with contextlib.ExitStack() as stack:
            files = {}
            for first in range(0, len(numbers), _CHUNK):
                rows = []
                for number in numbers[first : first + _CHUNK]:
                    part = part_of(number)
                    if part not in files:
                        files[part] = stack.enter_context(self._open(part))
                    files[part].seek(self._offset(number, part))
                    rows.append(np.frombuffer(files[part].read(self._bytes), "<f4"))
                    if rows[-1].nbytes != self._bytes:
                        raise self._incomplete(part)
                yield np.stack(rows).astype(np.float64)

    def _path_of(self, part):
        return self._path.with_name(f"{self._path.stem}{part.suffix}{self._path.suffix}")

    def _offset(self, number, part):
        return number // part.count * self._bytes

    def _open(self, part):
        try:
            return open(self._path_of(part), "rb")
        except FileNotFoundError:
            raise self._incomplete(part) from None

    def _incomplete(self, part):
        return InputError(
            f"the features of pictures measured are not all in {self._path_of(part)}: bring the file there from where "
            "they were measured, or give --restart to begin anew"
        )


def mean_and_covariance(chunks: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean [D] and covariance [D, D] (divided by n - 1) of rows [n, D] that come in parts, streamed in float64.

    Sums and sums of products are taken about the first row, so that large means do not cancel what matters.
    """
    count, origin, total, products = 0, None, 0.0, 0.0
    for chunk in chunks:
        origin = chunk[0] if origin is None else origin
        shifted = chunk - origin
        count += len(chunk)
        total = total + shifted.sum(axis=0)
        products = products + shifted.T @ shifted
    if count < 2:
        raise InputError("FID needs two pictures at least")
    centre = total / count
    return origin + centre, (products - count * np.outer(centre, centre)) / (count - 1)


def frechet_distance(mean_a, covariance_a, mean_b, covariance_b) -> float:
    """Squared Frechet distance of two normal distributions.

    |mu - mu'|^2 + tr(S) + tr(S') - 2 tr((S S')^1/2); the last trace is the sum of the square roots of the eigenvalues
    of R S' R, symmetric, where R is the square root of S, both by eigen-decomposition.

    Args:
        mean_a, mean_b: [D].
        covariance_a, covariance_b: [D, D], symmetric, no negative eigenvalues but by rounding.
    Reference: Heusel et al. 2017, "GANs trained by a two time-scale update rule...", equation 6.
    """
    values, vectors = np.linalg.eigh(covariance_a)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    product = root @ covariance_b @ root
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh((product + product.T) / 2.0), 0.0)).sum()
    difference = np.asarray(mean_a) - np.asarray(mean_b)
    return float(difference @ difference + np.trace(covariance_a) + np.trace(covariance_b) - 2.0 * cross)
