"""Image Transformer: every value of an image predicted from those before it, by attention to a neighbourhood.

"Image Transformer", Parmar et al., ICML 2018 (arXiv 1802.05751), in the form of tensor2tensor's unconditional model.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from tf_inpaint.layers.composite import Composite
from tf_inpaint.models.generator import Generator
from tf_inpaint.ops.levels import from_levels
from tf_inpaint.ops.local_attention import along_rows, around_blocks, attend, attend_at
from tf_inpaint.ops.random import uniform_per_example

ATTENTIONS = ("local_1d", "local_2d")
OUTPUTS = ("categorical", "mixture")
POSITIONS = ("timing", "learned")
_LEVELS = 256


class ImageTransformerGenerator(Generator):
    """A decoder over an image's values in a fixed order, each given those before it.

    With categorical outputs a position is a value, of the grid [H, 3 W] whose columns are R, G, B, R, ..., and its
    output the logits of 256 levels. With a mixture of logistics a position is a pixel, of the grid [H, W].

    Args:
        image_size: height and width of the images.
        width: channels between layers.
        filters: of the feed-forward layers.
        depth: layers.
        heads: of attention.
        attention_width: channels of queries, keys and values; 0 is `width`.
        attention: "local_1d", to the block before and to its own; or "local_2d", to its block and what is above and to
            the left.
        block_length: positions in a block of "local_1d".
        query_shape, flange: (rows, columns) of a block of "local_2d" and of what is seen beyond, of the grid.
        output: "categorical" or "mixture".
        mixtures: logistics in the mixture.
        position: "timing", sines of the place; or "learned".
        max_length: rows and columns of the tables of "learned".
        dropout: fraction dropped in training of the inputs and of what layers add.
    Call:
        levels: int32 [B, S, S, 3], 0 .. 255, RGB.
        seeds: int32 [B, 2], of each example's dropout; None drops nothing.
        returns: float32 [B, S, S, 3, 256], logits; or [B, S, S, 10 mixtures], see `losses.mixture`.
    Raises:
        ValueError: if an argument is outside what is listed.
    Reference: Parmar et al. 2018, in tensor2tensor's form.
    Deviations: see `ops.local_attention.around_blocks`.
    """

    bytes_per_pixel = 200_000
    keeps_levels = False

    def __init__(
        self,
        image_size=32,
        width=128,
        filters=256,
        depth=4,
        heads=4,
        attention_width=0,
        attention="local_1d",
        block_length=192,
        query_shape=(8, 16),
        flange=(8, 32),
        output="categorical",
        mixtures=10,
        position="timing",
        max_length=96,
        dropout=0.0,
        name="image_transformer_generator",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        for argument, value, allowed in (
            ("attention", attention, ATTENTIONS),
            ("output", output, OUTPUTS),
            ("position", position, POSITIONS),
        ):
            if value not in allowed:
                raise ValueError(f"`{argument}` must be one of {', '.join(allowed)}. Received: {value!r}")
        attention_width = attention_width or width
        if width % 4 or width % heads or attention_width % heads:
            raise ValueError(
                f"`width` must be a multiple of 4 and, as `attention_width`, of `heads`. "
                f"Received: {width} and {attention_width} with {heads}"
            )
        self.fixed_size = self.size_multiple = self.minimum_size = self.hole_size = image_size
        self.categorical, self.dropout, self.depth = output == "categorical", dropout, depth
        self.grid = (image_size, (3 if self.categorical else 1) * image_size)
        if position == "learned" and max_length < self.grid[1]:
            raise ValueError(f"`max_length` must be at least {self.grid[1]}. Received: {max_length}")
        length = self.grid[0] * self.grid[1]
        if attention == "local_1d":
            self._neighbourhood = along_rows(length, block_length)
            self._restart = length  # positions after which the inputs begin anew
        else:
            self._neighbourhood = around_blocks(self.grid, query_shape, flange)
            self._restart = query_shape[0] * query_shape[1]
        # Keras would make lists of arrays its own.
        self._order = tuple(int(place) for place in self._neighbourhood.order)
        self.embedding = (
            _LevelEmbedding(width, name="embedding") if self.categorical else _dense(width, "relu", "embedding")
        )
        self.place = _LearnedPosition(max_length, width, name="place") if position == "learned" else None
        self._signal = None if self.place else timing_signal(*self.grid, width)
        for index in range(1, depth + 1):
            layer = _Layer(width, filters, heads, attention_width, self._neighbourhood, name=f"layer{index}")
            setattr(self, layer.name, layer)
        self.outputs_layer = _dense(
            _LEVELS if self.categorical else 10 * mixtures, None, "outputs_layer", use_bias=self.categorical
        )

    def call(self, levels, seeds=None):
        x = self._inputs(self._sequence(levels))
        keep = self._dropping(seeds)
        x = keep(x, 0)
        for index, layer in enumerate(self._layers_in_order(), start=1):
            x, _, _ = layer(x, keep=lambda y, which, index=index: keep(y, 2 * index + which))
        return self._as_image(self.outputs_layer(x))

    def complete(self, levels, hole, choose):
        """An image's hole drawn, value by value, each given those before it; what comes after is not looked at.

        Keys and values of every position are kept, so that a step costs what one position costs.

        Args:
            levels: int32 [B, S, S, 3].
            hole: bool [B, S, S].
            choose: function of a position of the sequence, int32 scalar, and its outputs, float32 [B, .], to its
                values, int32 [B, 1], or [B, 3] of a mixture.
        Returns:
            int32 [B, S, S, 3].
        """
        values = tf.transpose(self._sequence(levels), [1, 0, 2])  # [L, B, C]
        hole = tf.tile(hole[..., tf.newaxis], [1, 1, 1, 3])
        hole = tf.transpose(self._sequence(hole), [1, 0, 2])[:, :, :1]  # [L, B, 1]
        at = tf.cast(tf.where(tf.reduce_any(hole, [1, 2]))[:, 0], tf.int32)
        first, end = tf.reduce_min(at), tf.reduce_max(at) + 1  # of no hole: an empty range
        x, kept = self._inputs(tf.transpose(values, [1, 0, 2])), []
        for layer in self._layers_in_order():
            x, keys, contents = layer(x)
            kept.append(tuple(tf.transpose(each, [2, 0, 1, 3]) for each in (keys, contents)))  # [L, B, heads, .]

        def step(position, values, kept):
            x, seen = self._input_at(position, values)[:, tf.newaxis], []
            for layer, (keys, contents) in zip(self._layers_in_order(), kept):
                x, keys, contents = layer.step(position, x, keys, contents)
                seen.append((keys, contents))
            drawn = tf.where(hole[position], choose(position, self.outputs_layer(x)[:, 0]), values[position])
            return position + 1, tf.tensor_scatter_nd_update(values, [[position]], [drawn]), seen

        _, values, _ = tf.while_loop(lambda position, *_: position < end, step, (first, values, kept))
        return self._levels_of(tf.transpose(values, [1, 0, 2]))

    def _layers_in_order(self):
        return [getattr(self, f"layer{index}") for index in range(1, self.depth + 1)]

    def _sequence(self, image):
        """[B, S, S, 3] -> [B, L, 1], or [B, L, 3] of pixels, in the sequence's order."""
        values = tf.reshape(image, [-1, len(self._order), 1 if self.categorical else 3])
        return tf.gather(values, self._order, axis=1)

    def _levels_of(self, values):
        side = self.fixed_size
        return tf.reshape(tf.gather(values, np.argsort(self._order), axis=1), [-1, side, side, 3])

    def _as_image(self, outputs):
        side, each = self.fixed_size, [3, _LEVELS] if self.categorical else [outputs.shape[-1]]
        return tf.reshape(tf.gather(outputs, np.argsort(self._order), axis=1), [-1, side, side, *each])

    def _inputs(self, values):
        """What the layers see: the value before each position, and where that is: float [B, L, width]."""
        channels = np.array(self._order) % 3
        return shift(self._embedded(values, channels), self._restart) + self._places()

    def _embedded(self, values, channels):
        if self.categorical:
            return self.embedding(values[..., 0] + _LEVELS * channels)
        return self.embedding(from_levels(tf.cast(values, self.compute_dtype)))

    def _places(self):
        signal = self.place.signal(self.grid) if self.place else tf.constant(self._signal, self.compute_dtype)
        return tf.gather(tf.reshape(signal, [len(self._order), -1]), self._order)

    def _input_at(self, position, values):
        """[B, width]."""
        before = tf.maximum(position - 1, 0)
        channel = tf.constant(self._order)[before] % 3
        x = self._embedded(values[before], channel)
        return tf.where(position % self._restart > 0, x, tf.zeros_like(x)) + self._places()[position]

    def _dropping(self, seeds):
        if seeds is None or not self.dropout:
            return lambda x, stream: x
        kept = 1.0 - self.dropout
        return lambda x, stream: x * tf.floor(kept + uniform_per_example(seeds, stream, x.shape[1:])) / kept


def shift(x, restart):
    """The vector before each position of [B, L, C], zeros at the first of every `restart`."""
    length, channels = x.shape[1:]
    parts = tf.reshape(x, [-1, min(restart, length), channels])
    return tf.reshape(tf.pad(parts, [[0, 0], [1, 0], [0, 0]])[:, :-1], [-1, length, channels])


def timing_signal(rows, columns, channels):
    """Sines and cosines of the row in one half of the channels, of the column in the other: [rows, columns, C]."""
    count = channels // 4
    rates = np.exp(-np.arange(count) * math.log(1e4) / max(count - 1, 1))
    signal = np.zeros([rows, columns, channels])
    for axis, (length, first) in enumerate(((rows, 0), (columns, 2 * count))):
        angles = np.arange(length)[:, np.newaxis] * rates
        waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
        signal[..., first : first + 2 * count] = np.expand_dims(waves, 1 - axis)
    return signal


class _Layer(Composite):
    """Local attention and a feed-forward layer, each added and then normalised.

    Call:
        inputs: float [B, L, C].
        keep: function of what is added and of 0 or 1, which of the two it is: dropout.
        returns: (float [B, L, C], keys, values: [B, heads, L, .]).
    """

    def __init__(self, width, filters, heads, attention_width, neighbourhood, name=None):
        super().__init__(name=name)
        self.neighbourhood = neighbourhood
        self.heads, self.scale = heads, (attention_width / heads) ** -0.5
        for part, size in (("q", attention_width), ("k", attention_width), ("v", attention_width), ("joined", width)):
            setattr(self, part, _dense(size, None, part, use_bias=False))
        self.norm1, self.norm2 = (tf.keras.layers.LayerNormalization(epsilon=1e-6, name=f"norm{i}") for i in (1, 2))
        self.wide, self.narrow = _dense(filters, "relu", "wide"), _dense(width, None, "narrow")

    def call(self, inputs, keep=lambda x, which: x):
        x = inputs
        q, k, v = (self._split(part(x)) for part in (self.q, self.k, self.v))
        y = attend(q * self.scale, k, v, self.neighbourhood)
        y = tf.transpose(y, [0, 2, 1, 3])  # [B, L, heads, .]
        y = tf.reshape(y, [-1, x.shape[1], self.heads * y.shape[-1]])
        return self._finished(x, y, keep), k, v

    def step(self, position, x, keys, values):
        """`call` of one position: (float [B, 1, C], keys and values [L, B, heads, .] with its own)."""
        q, k, v = (tf.reshape(part(x), [-1, self.heads, part.units // self.heads]) for part in (self.q, self.k, self.v))
        keys, values = (
            tf.tensor_scatter_nd_update(kept, [[position]], [own]) for kept, own in ((keys, k), (values, v))
        )
        y = attend_at(position, q * self.scale, keys, values, self.neighbourhood)
        return self._finished(x, tf.reshape(y, [-1, 1, self.v.units]), lambda y, which: y), keys, values

    def _finished(self, x, attended, keep):
        x = self.norm1(x + keep(self.joined(attended), 0))
        return self.norm2(x + keep(self.narrow(self.wide(x)), 1))

    def _split(self, x):
        """[B, L, heads * d] -> [B, heads, L, d]."""
        x = tf.reshape(x, [-1, x.shape[1], self.heads, x.shape[2] // self.heads])
        return tf.transpose(x, [0, 2, 1, 3])


class _LevelEmbedding(tf.keras.layers.Layer):
    """A vector for each level of each channel: indices [...] -> [..., width]."""

    def __init__(self, width, name=None):
        super().__init__(name=name)
        self.width = width

    def build(self, input_shape):
        self.table = self.add_weight(name="table", shape=(3 * _LEVELS, self.width), initializer=_initializer())
        self.built = True

    def call(self, indices):
        return tf.gather(tf.convert_to_tensor(self.table) * self.width**0.5, indices)  # so that its gradient is dense


class _LearnedPosition(tf.keras.layers.Layer):
    """A vector for each row plus one for each column."""

    def __init__(self, length, width, name=None):
        super().__init__(name=name)
        for part in ("rows", "columns"):
            normal = tf.keras.initializers.RandomNormal(stddev=width**-0.5)
            setattr(self, part, self.add_weight(name=part, shape=(length, width), initializer=normal))
        self.width, self.built = width, True

    def signal(self, grid):
        """Of (rows, columns): [rows, columns, width]."""
        rows, columns = tf.convert_to_tensor(self.rows)[: grid[0]], tf.convert_to_tensor(self.columns)[: grid[1]]
        return (rows[:, tf.newaxis] + columns) * self.width**0.5


def _initializer():
    return tf.keras.initializers.VarianceScaling(0.2, "fan_avg", "uniform")


def _dense(units, activation, name, use_bias=True):
    return tf.keras.layers.Dense(units, activation, use_bias, kernel_initializer=_initializer(), name=name)
