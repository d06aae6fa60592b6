"""The masks of a config, whatever their kind: drawn, read from files, or mixed."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from PIL import Image

from tf_inpaint.data.reader import ImageFiles, blaming, plainly
from tf_inpaint.errors import InputError
from tf_inpaint.io.holes import read_holes
from tf_inpaint.io.listing import list_files
from tf_inpaint.ops.masks import MASKS, MaskOptions, outpainting


class Masks:
    """Masks as pure functions of stateless seeds: some of an image is always known.

    Attributes:
        broken: (file, reason) of each mask file found unreadable or useless so far; others take their places.
        failure: the InputError that ended reading, None while all is well.
    """

    def __init__(self, options: MaskOptions, size, max_broken_fraction: float = 0.0):
        """Lists the mask files, if any, and looks at their heads.

        Args:
            options: section `mask` of a config.
            size: (height, width) of the images.
            max_broken_fraction: reading fails when more than this share of the mask files cannot be used.
        Raises:
            InputError: if there are no mask files where some are asked for, or too many of them are no images.
        """
        self._options = options
        self._size = tuple(size)
        self._files = None
        if "files" in options.kinds:
            self._files = _MaskFiles(options, self._size, max_broken_fraction)

    @property
    def broken(self) -> list[tuple[str, str]]:
        return self._files.broken if self._files else []

    @property
    def failure(self) -> InputError | None:
        return self._files.failure if self._files else None

    def dataset(self, seeds: tf.data.Dataset, parallel_calls: int = -1) -> tf.data.Dataset:
        """A mask for each seed, in their order.

        Args:
            seeds: dataset of int32 [2], stateless.
            parallel_calls: masks made at the same time; -1 leaves it to TensorFlow.
        Returns:
            Dataset of float32 [height, width, 1], 1 = hole.
        """
        if self._files is not None:
            seeds = self._files.dataset(seeds, self._files_at, parallel_calls)
        return seeds.map(plainly(self._draw), num_parallel_calls=parallel_calls, deterministic=True)

    def _draw(self, seed, layers=None):
        choice, seed = self._choose(seed)
        kinds = self._options.kinds

        def draw(kind):
            if kind == "files":
                return self._finished(layers["mask"], seed)
            mask = MASKS[kind](seed, *self._size, self._options)
            # Broad strokes can fill a small image.
            rest = outpainting(seed, *self._size, self._options)
            return tf.where(tf.reduce_min(mask) > 0, rest, mask)

        if choice is None:
            return draw(kinds[0])
        return tf.switch_case(choice, [lambda kind=kind: draw(kind) for kind in kinds])

    def _choose(self, seed):
        """Which of the kinds a seed draws, int32, None if there is one; and a seed to draw it from."""
        if self._options.kind != "mix":
            return None, seed
        seeds = tf.random.experimental.stateless_split(seed, 2)
        sums = np.cumsum([weight for _, weight in self._options.mix])
        point = tf.random.stateless_uniform([], seeds[0], 0.0, sums[-1])
        return tf.reduce_sum(tf.cast(point >= tf.constant(sums[:-1], tf.float32), tf.int32)), seeds[1]

    def _files_at(self, seed, count):
        """The file of a seed, and those that would take its place; none (-1) where no file is drawn."""
        choice, seed = self._choose(seed)
        total = self._files.count
        first = tf.random.stateless_uniform([], _file_seeds(seed)[0], 0, total, dtype=tf.int64)
        indices = (first + tf.range(count)) % total
        if choice is None:
            return indices
        is_file = tf.gather([kind == "files" for kind in self._options.kinds], choice)
        return tf.where(is_file, indices, -1)

    def _finished(self, mask, seed):
        mask = tf.ensure_shape(mask, [*self._size, 1])
        if self._options.flip_files:
            mirrored = tf.random.stateless_uniform([2], _file_seeds(seed)[1]) < 0.5
            for axis in (0, 1):
                mask = tf.where(mirrored[axis], tf.reverse(mask, [axis]), mask)
        return tf.cast(mask, tf.float32)


def _file_seeds(seed):
    """For the index of a file, for its mirroring."""
    return tf.random.experimental.stateless_split(seed, 2)


class _MaskFiles(ImageFiles):
    """Mask files stretched to one size, uint8 in {0, 1}; those with no hole or nothing known count as broken.

    What is the hole is found out by `io.holes`, as everywhere, which looks at the whole file: by Python alone.
    """

    channels = {"mask": 1}
    decoded = False

    def __init__(self, options, size, max_broken_fraction):
        with blaming("mask.files"):
            files = list_files(options.files)
        super().__init__(files, "mask.files", max_broken_fraction)
        self._size = size
        self._options = options

    def read(self, index):
        if index < 0:
            return {"mask": np.zeros([*self._size, 1], np.uint8)}
        (height, width), file = self._size, self._files[index]
        try:
            marked = read_holes(file, self._options.files_from).marked
        except InputError as error:
            raise InputError(str(error).replace("--mask_from", "mask.files_from")) from error
        fitted = np.asarray(Image.fromarray(marked).resize((width, height), Image.NEAREST))
        is_hole = fitted != self._options.invert_files
        if is_hole.all() or not is_hole.any():
            raise InputError(f"{file} is all {'hole' if is_hole.all() else 'known'} as a mask")
        return {"mask": is_hole.astype(np.uint8)[:, :, np.newaxis]}
