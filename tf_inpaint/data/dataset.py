"""Training examples as pure functions of (seed, position).

Position p of an endless sequence settles everything about an example: its file (the one at p % count in an order of the
files drawn anew for each epoch p // count), its crop, flip and mask, and the `seed` from which recipes draw their
numbers. Global batch b is the positions b * batch_size .. (b + 1) * batch_size - 1. So a run starts at any batch at
once, and any number of replicas and workers sees the same batches.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tf_inpaint.data.augment import fit, flip, jitter
from tf_inpaint.data.cifar import CifarImages, is_cifar, labels_of
from tf_inpaint.data.masks import Masks
from tf_inpaint.data.reader import ImageFiles, PairedFiles, blaming, plainly, spread
from tf_inpaint.errors import InputError
from tf_inpaint.io.listing import EDGES_SUFFIX, list_files, source_root, split_edges
from tf_inpaint.ops import hed, landmarks
from tf_inpaint.ops.edges import canny_edges
from tf_inpaint.ops.images import to_float
from tf_inpaint.ops.masks import MaskOptions

if TYPE_CHECKING:
    from tf_inpaint.config import DataConfig

# What numbers are drawn for: each purpose has its own.
_ORDER, _EXAMPLE, _BATCH, _VIEW = range(4)
_DETECTORS = {"canny": canny_edges, "hed": hed.hed_edges, "landmarks": landmarks.landmark_edges}


class ImageData:
    """The images and masks of a config, as datasets for training, views and validation.

    Attributes:
        count: number of training files, the length of an epoch.
        broken: (file, reason) of each file found unreadable so far: training, validation and mask files; others take
            their places.
        failure: the InputError that ended reading, None while all is well.
    """

    def __init__(self, data: DataConfig, mask: MaskOptions, seed: int):
        """Lists the files and looks at their heads.

        Args:
            data: sources, size, fit and batch size of the images.
            mask: which masks to draw.
            seed: of the run; another seed is another order, other crops, flips and masks.
        Raises:
            InputError: if a source is wrong, or more than `max_broken_fraction` of its files cannot be read.
        """
        for kind, module, needed in (("hed", hed, "its network"), ("landmarks", landmarks, "dlib and its model")):
            if data.edges == kind and not module.installed():
                raise InputError(f"data.edges: {kind} needs {needed}: {module.REMEDY}")
        self._data = data
        self._mask = mask
        self._masks = Masks(mask, data.image_size, data.max_broken_fraction)
        self._seed = seed
        self._train = _open(data.train, "data.train", data)
        self._views = _open(data.validation, "data.validation", data) if data.validation else self._train
        self.count = self._train.count

    @property
    def broken(self) -> list[tuple[str, str]]:
        views = self._views.broken if self._views is not self._train else []
        return self._train.broken + views + self._masks.broken

    @property
    def failure(self) -> InputError | None:
        return self._train.failure or self._views.failure or self._masks.failure

    def dataset(
        self,
        first_batch: int,
        batch_size: int,
        input_pipeline_id: int = 0,
        num_input_pipelines: int = 1,
        replicas_per_pipeline: int = 1,
    ) -> tf.data.Dataset:
        """The endless batches of one input pipeline, for one replica after the other.

        Meant for `strategy.distribute_datasets_from_function`. Each replica takes its contiguous shard of each global
        batch, pipelines and the replicas within them in order.

        Args:
            first_batch: global batch to begin with; no earlier one is read.
            batch_size: size of a global batch, a multiple of the number of replicas.
            input_pipeline_id, num_input_pipelines: which of how many pipelines, all with the same number of replicas.
            replicas_per_pipeline: replicas this pipeline feeds in turn.
        Returns:
            Dataset of dicts for b = batch_size / replicas examples: "image" float32 [b, H, W, 3] in [-1, 1], "mask"
            float32 [b, H, W, 1], 1 = hole, "seed" int32 [b, 2], a stateless seed for each example, and where
            `data.edges` is not "none" "edges" float32 [b, H, W, 1], 1 = edge.
        Raises:
            InputError: if the batch cannot be divided among the replicas.
            ValueError: if `first_batch` or `input_pipeline_id` is out of range.
        """
        replicas = num_input_pipelines * replicas_per_pipeline
        if batch_size < 1 or batch_size % replicas:
            raise InputError(f"a batch of {batch_size} images cannot be divided evenly among {replicas} replicas")
        if first_batch < 0:
            raise ValueError(f"`first_batch` must not be negative. Received: {first_batch}")
        if not 0 <= input_pipeline_id < num_input_pipelines:
            raise ValueError(
                f"`input_pipeline_id` must be in 0 .. {num_input_pipelines - 1}. Received: {input_pipeline_id}"
            )
        shard = batch_size // num_input_pipelines

        def position(index):
            return index // shard * batch_size + input_pipeline_id * shard + index % shard

        def mask_seed(position):
            if self._mask.per_batch:
                return self._seeds(_BATCH, position // batch_size)[2]
            return self._seeds(_EXAMPLE, position)[2]

        positions = tf.data.Dataset.range(first_batch * shard, np.iinfo(np.int64).max).map(plainly(position))
        layers = self._train.dataset(positions, self._files_at, self._data.parallel_calls)
        masks = self._masks.dataset(positions.map(plainly(mask_seed)), self._data.parallel_calls)
        return self._batches(layers, self._example, masks, batch_size // replicas)

    def validation(self, count: int, batch_size: int) -> tf.data.Dataset:
        """The same images and masks at every call: spread evenly over the validation files, cut at the centre.

        Without validation files they are training files. Masks are one per image, also where `mask.per_batch` is set.

        Args:
            count: number of images; at most one of each file is given.
            batch_size: images in a batch; the last may have fewer.
        Returns:
            Finite dataset of dicts as from `dataset`.
        """
        if count < 1:
            raise ValueError(f"`count` must be at least 1. Received: {count}")
        total = self._views.count

        def files_at(index, count):
            return (index + tf.range(count)) % total

        def mask_seed(index):
            return self._seeds(_VIEW, index)[2]

        indices = tf.data.Dataset.from_tensor_slices(spread(total, count))
        layers = self._views.dataset(indices, files_at, self._data.parallel_calls)
        masks = self._masks.dataset(indices.map(plainly(mask_seed)), self._data.parallel_calls)
        return self._batches(layers, self._view, masks, batch_size, drop_remainder=False)

    def _files_at(self, position, count):
        """The file of a training position, and those that would take its place: the next ones of that epoch."""
        key = tf.stack([self._key(_ORDER), position // self.count])  # of the epoch
        # A permutation of 0 .. count - 1 for each key, computed where it is needed: no table, no buffer to fill.
        places = (position + tf.range(count)) % self.count
        return tf.random.experimental.index_shuffle(places, key, tf.constant(self.count - 1, tf.int64))

    def _example(self, position, layers):
        """The training example at a position, from its file; its mask joins it later."""
        data = self._data
        crop_seed, flip_seed, _, seed = self._seeds(_EXAMPLE, position)
        zoom = _zoom(data.zoom, tf.random.experimental.stateless_fold_in(flip_seed, 3))
        layers = fit(layers, data.fit, data.image_size, crop_seed, data.shorter_side, zoom)
        if data.flip:
            layers = flip(layers, flip_seed)
        if data.colour_jitter:
            layers = jitter(layers, tf.random.experimental.stateless_fold_in(flip_seed, 2), data.colour_jitter)
        dropped = tf.random.stateless_uniform([], tf.random.experimental.stateless_fold_in(flip_seed, 1))
        return self._finished(layers, seed, keep_edges=dropped >= data.edges_drop)

    def _view(self, index, layers):
        """The example made of a validation file without any choice."""
        data = self._data
        layers = fit(layers, data.fit, data.image_size, shorter_side=data.shorter_side)
        return self._finished(layers, self._seeds(_VIEW, index)[3])

    def _finished(self, layers, seed, keep_edges=True):
        example = {"image": to_float(layers["image"]), "seed": seed}
        if self._data.edges != "none":
            edges = layers["edges"] / 255.0 if self._data.edges == "paired" else self._detected(layers["image"])
            example["edges"] = edges * tf.cast(keep_edges, tf.float32)
        return example

    def _detected(self, image):
        detect = _DETECTORS[self._data.edges]
        levels = tf.cast(tf.round(image), tf.uint8)  # [H, W, 3]
        edges = tf.numpy_function(detect, [levels], tf.uint8, stateful=False)  # [H, W]
        return tf.ensure_shape(tf.cast(edges, tf.float32) / 255.0, self._data.image_size)[..., tf.newaxis]

    def _seeds(self, purpose, index):
        """Four independent stateless seeds, int32 [2] each, for an index."""
        key = tf.stack([self._key(purpose), index])
        seeds = tf.random.stateless_uniform([4, 2], key, minval=None, maxval=None, dtype=tf.int32, alg="philox")
        return tf.unstack(seeds)

    def _key(self, purpose):
        """The run's seed, as 64 bits of which no two purposes share the same."""
        return tf.constant(self._seed % 2**32 + (purpose << 32), tf.int64)

    def _batches(self, layers, example, masks, batch_size, drop_remainder=True):
        options = tf.data.Options()
        options.deterministic = True
        examples = layers.map(plainly(example), num_parallel_calls=self._data.parallel_calls, deterministic=True)
        examples = tf.data.Dataset.zip((examples, masks)).map(plainly(lambda one, mask: {**one, "mask": mask}))
        return examples.batch(batch_size, drop_remainder).prefetch(tf.data.AUTOTUNE).with_options(options)


def _zoom(between, seed):
    """A factor in the range `between`, evenly drawn by its logarithm."""
    if between == (1.0, 1.0):
        return 1.0
    least, greatest = (math.log(factor) for factor in between)
    return tf.exp(tf.random.stateless_uniform([], seed, least, greatest, tf.float64))


def _open(source, setting, data) -> ImageFiles:
    """The files of a source, which is the config's `setting`, with their edges where these are paired."""
    if is_cifar(source):
        if data.edges == "paired":
            raise InputError(f"data.edges is paired, but {setting} is CIFAR-10, which has no edges")
        part = "train" if setting == "data.train" else "test"
        with blaming("data.classes"):
            labels = labels_of(data.classes)
        with blaming(setting):
            return CifarImages(source, part, setting, data.max_broken_fraction, labels)
    if data.classes:
        raise InputError(f"data.classes: is for CIFAR-10 as downloaded, which {setting} is not")
    with blaming(setting):
        files, folder = list_files(source), data.edges_folder
    if data.edges != "paired":
        return ImageFiles(split_edges(files)[0], setting, data.max_broken_fraction)
    root = source_root(source, files) if folder else ""
    if folder:
        if not os.path.isdir(folder):
            raise InputError(f"data.edges_folder {folder} is not a folder")
        inner = os.path.join(folder, os.path.basename(os.path.abspath(root)))
        folder = inner if os.path.isdir(inner) else folder
    files, edges = split_edges(files, root, folder)
    missing = [file for file in files if file not in edges]
    if missing:
        name = f"{os.path.splitext(os.path.basename(missing[0]))[0]}{EDGES_SUFFIX}.png"
        named = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise InputError(
            f"data.edges is paired, but {len(missing)} of {len(files)} images of {setting} have no edges "
            f"{f'in {folder}' if folder else 'beside them'}, such as {name}: {named}; "
            "python -m tf_inpaint.edges makes them"
        )
    return PairedFiles(files, [edges[file] for file in files], setting, data.max_broken_fraction)
