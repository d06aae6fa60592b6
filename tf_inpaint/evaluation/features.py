"""Distances between what image classifiers see: of each completion, and of all completions as a set.

They need trained weights, which an installed package or the user brings; without them the table says so. The features
of every image are kept on disk, so that an evaluation goes on where it stopped.
"""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path
from typing import Callable, Sequence

import numpy as np
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.evaluation.fid import (
    FeatureFile,
    frechet_distance,
    frechet_distance_of_few,
    inception_score,
    kernel_mean,
    mean_and_covariance,
)
from tf_inpaint.evaluation.named_files import files_digest
from tf_inpaint.features import inception, lpips
from tf_inpaint.features.applications import DOWNLOAD as KERAS_DOWNLOAD
from tf_inpaint.features.applications import load_application
from tf_inpaint.features.distance import feature_distance
from tf_inpaint.features.efficientnet_lite import (
    POOLED_CHANNELS,
    REMEDY,
    STAGES,
    EfficientNetLite0,
    classifier,
    installed,
    packaged_file,
)
from tf_inpaint.features.vgg import DISTANCE_LAYERS, VGGFeatures
from tf_inpaint.io.shards import Shard
from tf_inpaint.ops.levels import from_levels

_KERAS = {  # network, the file that Keras keeps of its weights
    "inception": ("inception_v3", "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    "vgg": ("vgg16", "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"),
}
DOWNLOAD = "download"
FEATURE_DISTANCE, FEATURE_FID, KID, VGG, FID = "feature_distance", "feature_fid", "kid", "vgg_distance", "fid"
FEATURE_IS = "feature_is"
LPIPS = "lpips"


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
    if given and given != DOWNLOAD:
        if not os.path.isfile(given):
            raise InputError(f"--{kind}_weights: there is no file {given}")
        return given, ""
    network, name = _KERAS[kind]
    kept = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models" / name
    if not kept.is_file():
        if given is None:
            return None, f"no weights at hand: give --{kind}_weights FILE, or download for Keras' own"
        try:
            load_application(network, KERAS_DOWNLOAD, f"--{kind}_weights")
        except InputError as error:
            return None, str(error)
    return str(kept), ""


class PairDistance:
    """A distance of completions from their truth, in a graph.

    Args:
        distance: function of float32 [1, H, W, 3] and [M, H, W, 3] in [-1, 1] to [M].
    """

    def __init__(self, distance: Callable):
        self._distance = distance
        self._graph = tf.function(self._run, autograph=False)

    def distances(self, image: np.ndarray, completions: np.ndarray) -> np.ndarray:
        """float32 [M] between uint8 [H, W, 3] and each of uint8 [M, H, W, 3]."""
        return self._graph(tf.constant(image[np.newaxis]), tf.constant(completions)).numpy()

    def _run(self, *images):
        return self._distance(*map(_from_uint8, images))


def vgg_distance(weights: str | None) -> Callable:
    """`feature_distance` at LPIPS' five layers of VGG16, as `PairDistance` takes it; weights as `load_application`."""
    network = VGGFeatures("vgg16", weights, DISTANCE_LAYERS, "--vgg_weights")

    def distance(image, completions):
        layers = network(tf.concat([image, completions], axis=0)).values()
        return feature_distance([features[1:] for features in layers], [features[:1] for features in layers])

    return distance


class Inception:
    """What InceptionV3 sees, in a graph; weights as `load_application`."""

    def __init__(self, weights: str | None):
        self._network = inception.InceptionFeatures(weights, "--inception_weights")
        self._graph = tf.function(lambda images: self._network(_from_uint8(images)), autograph=False)

    def features(self, images: np.ndarray) -> np.ndarray:
        """float32 [B, 2048] of uint8 [B, H, W, 3]."""
        return self._graph(tf.constant(images)).numpy()


class LiteFeatures:
    """What EfficientNet-Lite0 of the installed package sees: a distance of each completion, and features for sets."""

    def __init__(self):
        self._network = EfficientNetLite0()
        self._graph = tf.function(self._run, autograph=False)

    def measure(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of uint8 [1 + M, H, W, 3], the truth first: float32 [M] distances from it, [1 + M, 1280] pooled features."""
        distances, pooled = self._graph(tf.constant(images))
        return distances.numpy(), pooled.numpy()

    def _run(self, images):
        truth = self._network(_from_uint8(images[:1]), STAGES)

        def measured(image):  # alone: in a batch the last digit depends on the place, on some processors
            stages = self._network(_from_uint8(image[tf.newaxis]), STAGES)
            return feature_distance(stages, truth)[0], self._network.pool(stages[-1])[0]

        signature = tf.TensorSpec([]), tf.TensorSpec([POOLED_CHANNELS])
        distances, pooled = tf.map_fn(measured, images[1:], fn_output_signature=signature)
        return distances, tf.concat([self._network.pool(truth[-1]), pooled], axis=0)


class Features:
    """What networks see in the images of an evaluation, as far as there are weights.

    Args:
        folder: for the features.
        shard: whose images are measured here.
        methods: their names.
        inception_weights, vgg_weights: as `weights_file` takes them.
        lpips_trunk: as `features.lpips.Lpips` takes it; None for none.
    Attributes:
        missing: {measure: why} of those without weights.
        per_image: names of those measured of each image.
        settings: what numbers depend on, for `Journal`.
    Raises:
        InputError: if a file is named that does not exist.
    """

    def __init__(
        self,
        folder: Path,
        shard: Shard,
        methods: Sequence[str],
        inception_weights=None,
        vgg_weights=None,
        lpips_trunk=None,
    ):
        self.missing: dict[str, str] = {}
        self.settings: dict[str, str] = {}
        self._networks: dict[str, Callable] = {}  # what loads them
        if installed():
            self.settings["features weights"] = files_digest([packaged_file()])
            self._networks[FEATURE_DISTANCE] = LiteFeatures
        else:
            why = f"its network comes with a package: {REMEDY}"
            self.missing.update(dict.fromkeys((FEATURE_DISTANCE, FEATURE_FID, KID, FEATURE_IS), why))
        if lpips_trunk is None:
            self.missing[LPIPS] = "give --lpips_trunk FILE, torchvision's file of AlexNet or VGG16"
        elif not lpips.installed():
            self.missing[LPIPS] = f"its learnt weights come with a package: {lpips.REMEDY}"
        else:
            network = lpips.Lpips(lpips_trunk).network  # refuses another file before anything is measured
            self.settings["lpips weights"] = files_digest([lpips_trunk, lpips.packaged_file(network)])
            self._networks[LPIPS] = lambda: PairDistance(lpips.Lpips(lpips_trunk))
        kinds = (
            (VGG, "vgg", vgg_weights, lambda file: PairDistance(vgg_distance(file))),
            (FID, "inception", inception_weights, Inception),
        )
        for name, kind, given, network in kinds:
            file, why = weights_file(kind, given)
            if file is None:
                self.missing[name] = why
            else:
                self.settings[f"{kind} weights"] = files_digest([file])
                self._networks[name] = functools.partial(network, file)
        self.per_image = [name for name in (FEATURE_DISTANCE, LPIPS, VGG) if name in self._networks]
        # Not by their places, which may be others when an evaluation goes on.
        names = ["truth", *(f"method-{hashlib.sha256(name.encode()).hexdigest()[:16]}" for name in methods)]
        self._files = {  # of the truth and each method
            FID: [FeatureFile(folder / f"{name}.f32", inception.CHANNELS, shard) for name in names],
            FEATURE_DISTANCE: [FeatureFile(folder / f"lite-{name}.f32", POOLED_CHANNELS, shard) for name in names],
        }

    def start(self) -> None:
        """Loads the networks."""
        self._networks = {name: load() for name, load in self._networks.items()}

    def measure(self, index: int, image: np.ndarray, completed: np.ndarray) -> list[dict[str, float]]:
        """{metric: value} for each of completed uint8 [M, H, W, 3]; keeps the features of image `index`."""
        images = np.concatenate([image[np.newaxis], completed])  # [1 + M, H, W, 3]
        values = {}
        if FEATURE_DISTANCE in self._networks:
            values[FEATURE_DISTANCE], pooled = self._networks[FEATURE_DISTANCE].measure(images)
            self._keep(FEATURE_DISTANCE, index, pooled)
        if FID in self._networks:
            self._keep(FID, index, self._networks[FID].features(images))
        for name in (LPIPS, VGG):
            if name in self._networks:
                values[name] = self._networks[name].distances(image, completed)
        return [{name: float(of[number]) for name, of in values.items()} for number in range(len(completed))]

    def _keep(self, network, index, rows):
        for file, row in zip(self._files[network], rows):
            file.write(index, row)

    def of_sets(self, indices: Sequence[int], shard_of: Callable[[int], Shard]) -> dict[str, list[float]]:
        """{metric: value of each method} over images, of whatever shard, by the features kept.

        None of a metric without weights, and none at all of fewer than two images.
        """
        found: dict[str, list[float]] = {}
        if len(indices) < 2:
            return found
        if FID not in self.missing:
            found[FID] = _frechet_distances(*self._sets(FID, indices, shard_of), inception.CHANNELS)
        if FEATURE_FID not in self.missing:
            count, truth, others = self._sets(FEATURE_DISTANCE, indices, shard_of)
            found[FEATURE_FID] = _frechet_distances(count, truth, others, POOLED_CHANNELS)
            of_truth = kernel_mean(truth)
            found[KID] = [of_truth + kernel_mean(other) - 2.0 * kernel_mean(other, truth) for other in others]
            kernel, bias = classifier()
            found[FEATURE_IS] = [inception_score(rows @ kernel + bias for rows in other()) for other in others]
        return found

    def _sets(self, network, indices, shard_of):
        """How many rows, and functions that give those of the truth and of each method."""
        truth, *others = (functools.partial(file.chunks, indices, shard_of) for file in self._files[network])
        return len(indices), truth, others


def _frechet_distances(count, truth, others, width):
    """Of each of `others` from the truth."""
    if count > width:
        moments = mean_and_covariance(truth())
        return [frechet_distance(*moments, *mean_and_covariance(other())) for other in others]
    rows = np.concatenate(list(truth()))
    return [frechet_distance_of_few(rows, np.concatenate(list(other()))) for other in others]


def _from_uint8(images):
    return from_levels(tf.cast(images, tf.float32))
