"""Training examples as pure functions of (seed, position).

Position p of an endless sequence settles everything about an example: its file (place p % count in an order of the
files drawn anew for each epoch p // count), its crop, flip and hole, and the `seed` from which recipes draw their own
numbers. Global batch b is the positions b * batch_size .. (b + 1) * batch_size - 1. So a run starts at any batch at
once, and any number of replicas and workers sees the same batches.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tf_inpaint.data.cifar import is_cifar, read_cifar
from tf_inpaint.data.masks import Holes
from tf_inpaint.data.reader import PictureFiles, plainly, spread
from tf_inpaint.edges import canny_edges
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import check_image, read_mask
from tf_inpaint.io.listing import EDGES_SUFFIX, list_files, source_root, split_edges
from tf_inpaint.ops.colour import jitter_colours
from tf_inpaint.ops.decode import decode_mask
from tf_inpaint.ops.images import to_float
from tf_inpaint.ops.levels import EDGE_THRESHOLD
from tf_inpaint.ops.masks import MaskOptions

if TYPE_CHECKING:
    from tf_inpaint.config import DataConfig

# What numbers are drawn for: each purpose has its own.
_ORDER, _EXAMPLE, _BATCH, _VIEW = range(4)


class ImageData:
    """The pictures and holes of a config, as datasets for training, views and validation.

    Attributes:
        count: number of training files, the length of an epoch.
        broken: (file, reason) of each file found unreadable so far: training, validation and mask files; others take
            their places.
        failure: the InputError that ended reading, None while all is well.
    """

    def __init__(self, data: DataConfig, mask: MaskOptions, seed: int):
        """Lists the files and looks at their heads.

        Args:
            data: sources, size, fit and batch size of pictures.
            mask: the holes to draw.
            seed: of the run; another seed is another order, other crops, flips and holes.
        Raises:
            InputError: if a source is wrong, or more than `max_broken_share` of its files cannot be read.
        """
        self._data = data
        self._mask = mask
        self._holes = Holes(mask, data.image_size, data.max_broken_fraction)
        self._seed = seed
        self._train = _list(data.train, "data.train", data)
        self._views = _list(data.validation, "data.validation", data) if data.validation else self._train
        self.count = self._train.count

    @property
    def broken(self) -> list[tuple[str, str]]:
        views = self._views.broken if self._views is not self._train else []
        return self._train.broken + views + self._holes.broken

    @property
    def failure(self) -> InputError | None:
        return self._train.failure or self._views.failure or self._holes.failure

    @contextlib.contextmanager
    def explained_errors(self):
        """Turns the TensorFlow error in which a dataset's InputError arrives back into that sentence.

        Put it around whatever takes elements: `with data.explained_errors(): batch = next(iterator)`.
        """
        try:
            yield
        except tf.errors.OpError as error:
            if self.failure is None:
                raise
            raise self.failure from error

    def dataset(
        self,
        first_batch: int,
        batch_size: int,
        input_pipeline_id: int = 0,
        num_input_pipelines: int = 1,
        replicas_per_pipeline: int = 1,
    ) -> tf.data.Dataset:
        """The endless batches of one input pipeline, for one replica after the other.

        Meant for `strategy.distribute_datasets_from_function`. Each replica takes its contiguous part of each global
        batch, pipelines and the replicas within them in order.

        Args:
            first_batch: global batch to begin with; no earlier one is read.
            batch_size: size of a global batch, a multiple of the number of replicas.
            input_pipeline_id, num_input_pipelines: which of how many pipelines, all with the same number of replicas.
            replicas_per_pipeline: replicas this pipeline feeds in turn.
        Returns:
            Dataset of dicts for b = batch_size / replicas examples: "image" float32 [b, H, W, 3] in [-1, 1], "mask"
            float32 [b, H, W, 1], 1 = hole, "seed" int32 [b, 2], a stateless seed for each example, and where
            `data.edges` is not "none" "edges" float32 [b, H, W, 1], 1 = line.
        Raises:
            InputError: if the batch cannot be divided among the replicas.
            ValueError: if `first_batch` or `input_pipeline_id` is out of range.
        """
        replicas = num_input_pipelines * replicas_per_pipeline
        if batch_size < 1 or batch_size % replicas:
            raise InputError(f"a batch of {batch_size} pictures cannot be divided evenly among {replicas} replicas")
        if first_batch < 0:
            raise ValueError(f"`first_batch` must not be negative. Received: {first_batch}")
        if not 0 <= input_pipeline_id < num_input_pipelines:
            raise ValueError(
                f"`input_pipeline_id` must be in 0 .. {num_input_pipelines - 1}. Received: {input_pipeline_id}"
            )
        part = batch_size // num_input_pipelines

        def position(index):
            return index // part * batch_size + input_pipeline_id * part + index % part

        def hole_seed(position):
            if self._mask.per_batch:
                return self._seeds(_BATCH, position // batch_size)[2]
            return self._seeds(_EXAMPLE, position)[2]

        positions = tf.data.Dataset.range(first_batch * part, np.iinfo(np.int64).max).map(plainly(position))
        pictures = self._train.pictures(positions, self._files_at, self._data.parallel_calls)
        masks = self._holes.masks(positions.map(plainly(hole_seed)), self._data.parallel_calls)
        return self._batches(pictures, self._example, masks, batch_size // replicas)

    def validation(self, count: int, batch_size: int) -> tf.data.Dataset:
        """The same pictures and holes at every call: spread evenly over the validation files, cut at the centre.

        Without validation files they are training files. Holes are one per picture, also where `mask.per_batch` is set.

        Args:
            count: number of pictures; at most one of each file is given.
            batch_size: pictures in a batch; the last may have fewer.
        Returns:
            Finite dataset of dicts as from `dataset`.
        """
        if count < 1:
            raise ValueError(f"`count` must be at least 1. Received: {count}")
        total = self._views.count

        def files_at(number, count):
            return (number + tf.range(count)) % total

        def hole_seed(number):
            return self._seeds(_VIEW, number)[2]

        numbers = tf.data.Dataset.from_tensor_slices(spread(total, count))
        pictures = self._views.pictures(numbers, files_at, self._data.parallel_calls)
        masks = self._holes.masks(numbers.map(plainly(hole_seed)), self._data.parallel_calls)
        return self._batches(pictures, self._view, masks, batch_size, drop_remainder=False)

    def fixed_views(self, count: int) -> dict[str, tf.Tensor]:
        """The examples of `validation(count, ...)` as one batch, to watch a run on."""
        with self.explained_errors():
            return next(iter(self.validation(count, count)))

    def _files_at(self, position, count):
        """The file of a training position, and those that would take its place: the next ones of that epoch."""
        epoch, place = position // self.count, position % self.count
        key = tf.stack([self._key(_ORDER), epoch])
        # A permutation of 0 .. count - 1 for each key, computed where it is needed: no table, no buffer to fill.
        places = (place + tf.range(count)) % self.count
        return tf.random.experimental.index_shuffle(places, key, tf.constant(self.count - 1, tf.int64))

    def _example(self, position, image):
        """The training example at a position, from its picture; its mask joins it later."""
        crop_seed, flip_seed, _, seed = self._seeds(_EXAMPLE, position)
        image = self._fit(image, crop_seed)
        if self._data.flip:
            flipped = tf.random.stateless_uniform([], flip_seed) < 0.5
            image = tf.cond(flipped, lambda: tf.reverse(image, [1]), lambda: image)
        if self._data.colour_jitter:
            jitter_seed = tf.random.experimental.stateless_fold_in(flip_seed, 2)
            colours = jitter_colours(image[..., :3] / 255.0, jitter_seed, self._data.colour_jitter) * 255.0
            image = tf.concat([colours, image[..., 3:]], axis=-1)
        dropped = tf.random.stateless_uniform([], tf.random.experimental.stateless_fold_in(flip_seed, 1))
        return self._finished(image, seed, keep_edges=dropped >= self._data.edges_drop)

    def _view(self, number, image):
        """The example made of a validation picture without any choice."""
        image = self._fit(image, crop_seed=None)
        return self._finished(image, self._seeds(_VIEW, number)[3])

    def _fit(self, image, crop_seed):
        data = self._data
        return _fit(image, data.fit, data.image_size, crop_seed, data.shorter_side)

    def _finished(self, image, seed, keep_edges=True):
        """The example of a fitted picture, whose fourth channel is the sketch, if there is one."""
        example = {"image": to_float(image[..., :3]), "seed": seed}
        if self._data.edges != "none":
            example["edges"] = self._edges(image) * tf.cast(keep_edges, tf.float32)
        return example

    def _edges(self, image):
        """float32 [H, W, 1] in {0, 1}."""
        if self._data.edges == "paired":
            return image[..., 3:] / 255.0
        picture = tf.cast(tf.round(image), tf.uint8)
        lines = tf.numpy_function(canny_edges, [picture], tf.uint8, stateful=False)
        return tf.ensure_shape(tf.cast(lines, tf.float32) / 255.0, self._data.image_size)[..., tf.newaxis]

    def _seeds(self, purpose, index):
        """Four independent stateless seeds, int32 [2] each, for an index."""
        key = tf.stack([self._key(purpose), index])
        seeds = tf.random.stateless_uniform([4, 2], key, minval=None, maxval=None, dtype=tf.int32, alg="philox")
        return tf.unstack(seeds)

    def _key(self, purpose):
        """The run's seed, as 64 bits of which no two purposes share the same."""
        return tf.constant(self._seed % 2**32 + (purpose << 32), tf.int64)

    def _batches(self, pictures, example, masks, batch_size, drop_remainder=True):
        options = tf.data.Options()
        options.deterministic = True
        examples = pictures.map(plainly(example), num_parallel_calls=self._data.parallel_calls, deterministic=True)
        examples = tf.data.Dataset.zip((examples, masks)).map(plainly(lambda one, mask: {**one, "mask": mask}))
        return examples.batch(batch_size, drop_remainder).prefetch(tf.data.AUTOTUNE).with_options(options)


class _SketchedFiles(PictureFiles):
    """Pictures with sketches, which become a fourth channel: 255 = line."""

    channels = 4

    def __init__(self, files, sketches, setting, max_broken_share):
        self._sketches = sketches
        super().__init__(files, setting, max_broken_share)
        with tf.device("CPU:0"):
            self._sketch_paths = tf.constant(sketches)

    def check(self, number):
        super().check(number)
        self._of_sketch(number, check_image)

    def decode(self, number):
        line = decode_mask(tf.io.read_file(self._sketch_paths[number])) > EDGE_THRESHOLD
        return tf.concat([super().decode(number), tf.where(line, tf.constant(255, tf.uint8), 0)], axis=2)

    def read(self, number):
        rgb, sketch = super().read(number), self._of_sketch(number, read_mask)
        if sketch.shape != rgb.shape[:2]:
            (height, width), (sketch_height, sketch_width) = rgb.shape[:2], sketch.shape
            raise InputError(
                f"{self._files[number]} has {width} x {height} pixels, but its sketch {self._sketches[number]} has "
                f"{sketch_width} x {sketch_height}"
            )
        return np.dstack([rgb, np.where(sketch > EDGE_THRESHOLD, np.uint8(255), np.uint8(0))])

    def _of_sketch(self, number, look):
        try:
            return look(self._sketches[number])
        except InputError as error:
            raise InputError(f"{self._files[number]} has no sound sketch: {error}") from error


class _CifarPictures(PictureFiles):
    """CIFAR-10's pictures, held in memory: 150 MB."""

    def __init__(self, source, part, setting, max_broken_share):
        pixels, names = read_cifar(source, part)
        with tf.device("CPU:0"):
            self._pixels = tf.constant(pixels)
        super().__init__(names, setting, max_broken_share)

    def check(self, number):
        """Nothing is left to look at."""

    def decode(self, number):
        return self._pixels[number]


def _list(source, setting, data) -> PictureFiles:
    if is_cifar(source):
        part = "train" if setting == "data.train" else "test"
        if data.edges == "paired":
            raise InputError(f"data.edges is paired, but {setting} is CIFAR-10, which has no sketches")
        return _CifarPictures(source, part, setting, data.max_broken_fraction)
    files, folder = list_files(source), data.edges_folder
    if data.edges != "paired":
        return PictureFiles(split_edges(files)[0], setting, data.max_broken_fraction)
    root = source_root(source, files) if folder else ""
    if folder:
        if not os.path.isdir(folder):
            raise InputError(f"data.edges_folder {folder} is not a folder")
        own = os.path.join(folder, os.path.basename(os.path.abspath(root)))
        folder = own if os.path.isdir(own) else folder
    files, sketches = split_edges(files, root, folder)
    return _SketchedFiles(files, _all_sketches(files, sketches, setting, folder), setting, data.max_broken_fraction)


def _all_sketches(files, sketches, setting, folder) -> list[str]:
    """The sketch of every file; an InputError names those that have none."""
    missing = [file for file in files if file not in sketches]
    if missing:
        name = f"{os.path.splitext(os.path.basename(missing[0]))[0]}{EDGES_SUFFIX}.png"
        named = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise InputError(
            f"data.edges is paired, but {len(missing)} of {len(files)} pictures of {setting} have no sketch "
            f"{f'in {folder}' if folder else 'beside them'}, such as {name}: {named}; "
            "python -m tf_inpaint.edges makes them"
        )
    return [sketches[file] for file in files]


def _fit(image, fit, size, crop_seed, shorter_side=0):
    """A picture brought to the size of the examples.

    Args:
        image: uint8 [H, W, C]; a fourth channel is a sketch of 0 and 255 and stays one.
        fit: "resize" squashes it to `size`, "resize_crop" scales it to just cover `size` and cuts a part, "crop" cuts
            without such scaling, except that a smaller picture is enlarged to cover `size`.
        size: (height, width).
        crop_seed: int32 [2], where to cut; None cuts at the centre.
        shorter_side: for "crop", what the picture's shorter side is scaled to first; 0 leaves it.
    Returns:
        float32 [height, width, C] in 0 .. 255.
    """
    channels = image.shape[2]
    if fit == "resize":
        return _resize(image, size)
    have = tf.shape(image)[:2]
    scale = tf.reduce_max(tf.constant(size, tf.float64) / tf.cast(have, tf.float64))
    if fit == "crop":
        wanted = shorter_side / tf.cast(tf.reduce_min(have), tf.float64) if shorter_side else 1.0
        scale = tf.maximum(scale, wanted)
    scaled = tf.maximum(tf.cast(tf.round(tf.cast(have, tf.float64) * scale), tf.int32), size)
    slack = scaled - size  # [2]
    if crop_seed is None:
        corner = slack // 2
    else:
        share = tf.random.stateless_uniform([2], crop_seed, dtype=tf.float64)
        corner = tf.cast(share * tf.cast(slack + 1, tf.float64), tf.int32)

    def cut(whole):
        return tf.slice(whole, [corner[0], corner[1], 0], [*size, channels])

    image = tf.cond(
        tf.reduce_all(scaled == have),
        lambda: tf.cast(cut(image), tf.float32),
        lambda: cut(_resize(image, scaled)),
    )
    return tf.ensure_shape(image, [*size, channels])


def _resize(image, size):
    """Bilinear, averaging over all source pixels where it shrinks; float32 in 0 .. 255."""
    resized = tf.image.resize(tf.cast(image, tf.float32), size, "bilinear", antialias=True)
    resized = tf.clip_by_value(resized, 0.0, 255.0)
    if image.shape[2] == 3:
        return resized
    # A line one pixel wide keeps at least 23 / 48 of `scale` of its brightness somewhere across it (a diagonal between
    # two pixels; half of `scale` where it is upright): cut at 0.45, it never breaks and hardly widens.
    scale = tf.cast(tf.reduce_min(size / tf.shape(image)[:2]), tf.float32)
    lines = tf.where(resized[..., 3:] > 0.45 * 255.0 * tf.minimum(scale, 1.0), 255.0, 0.0)
    return tf.concat([resized[..., :3], lines], axis=2)
