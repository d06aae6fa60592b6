"""DeepFill v1: coarse-to-fine generator with contextual attention, and its two critics.

"Generative Image Inpainting with Contextual Attention", Yu et al., CVPR 2018 (arXiv 1801.07892), in the form of release
1.0.0. Attributes carry the release's layer names, so that each can be read against its variable list.
"""

from __future__ import annotations

from functools import partial

import tensorflow as tf

from tf_inpaint.layers import AppearanceFlow, ContextualAttention, MirrorConv2D, SpatialTransformer, convolution_kind
from tf_inpaint.models.generator import Attention, Generator
from tf_inpaint.ops.boxes import bounding_box, crop, paste
from tf_inpaint.ops.images import composite

ATTENTION_STRIDE = 8
SIZE_MULTIPLE = 8  # features have a quarter of the sides, attention half of theirs
ATTENTIONS = ("contextual", "spatial_transformer", "appearance_flow", "none")
_WIDEST_DILATION = 16
_FEATURE_STRIDE = 4


class DeepFillV1Generator(Generator):
    """Completes pictures in two stages: a dilated coarse network, then refinement with contextual attention.

    Args:
        width: channels of the first layer (32 in the paper).
        padding: "SYMMETRIC" or "REFLECT" (the paper's mirror padding) or "SAME" (what the release's test program uses).
        attention: "contextual", or for comparison "spatial_transformer", "appearance_flow" or "none", which leaves the
            layer out; there are no "offsets" then.
        convolution: "plain", or for comparison "partial", of as many weights: all layers but the last of each stage
            read known pixels only, and hand on where nothing is known yet (see `PartialConv2D`).
    Call:
        inputs: (masked_image, mask): float32 [B, H, W, 3] in [-1, 1], RGB, 0 in the holes; float32 [B, H, W, 1] in
            {0, 1}, 1 = hole, one for each picture. H and W: multiples of `size_multiple`, at least `minimum_size`.
        returns: dict of
            "coarse", "refined": float32 [B, H, W, 3] in [-1, 1], the two stages' outputs;
            "predicted": the same tensor as "refined";
            "offsets": int32 [B, H / 8, W / 8, 2], what each patch attended to (see `ContextualAttention`); or float32
                [B, H / 4, W / 4, 2], what the layer in its place sampled.
    Raises:
        ValueError: if `attention` or `convolution` is none of those listed.
    Reference: Yu et al. 2018, figures 2 and 4, in the form of release 1.0.0.
    Deviations: a mask for every picture, where the release uses the first one for all. How Yu et al. 2019 built
        partial convolutions into this network they do not say: here the planes of ones and mask stay in the input, the
        second stage knows what the first one could fill, and the last layer of each is plain.
    """

    size_multiple = SIZE_MULTIPLE

    def __init__(
        self,
        width=32,
        padding="SYMMETRIC",
        attention="contextual",
        convolution="plain",
        name="deepfill_v1_generator",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.width = width
        self.padding = padding
        self.attends_by = attention
        self.convolution = convolution
        kind = convolution_kind(convolution)
        self.coarse = CoarseNetwork(width, kind, padding, clip, name="coarse")
        self.refinement = RefinementNetwork(width, kind, padding, clip, attention, name="refinement")

    @property
    def minimum_size(self):
        return minimum_size(self.padding)

    @property
    def attention(self):
        return Attention(ATTENTION_STRIDE, [self.refinement.attention]) if self.attends_by == "contextual" else None

    @property
    def bytes_per_pixel(self):
        return 100 + 18 * self.width

    @property
    def bytes_per_known_pixel(self):
        return 130 + 9 * self.width

    @property
    def returned(self):
        return ("coarse", "refined", "predicted", *(["offsets"] if self.attends_by != "none" else []))

    def call(self, inputs, training=False):
        masked_image, mask = inputs
        coarse, unknown = self.coarse((_with_planes(masked_image, mask), mask))
        composited = composite(coarse, masked_image, mask)
        refined, offsets = self.refinement((_with_planes(composited, mask), unknown, mask))
        outputs = {"coarse": coarse, "refined": refined, "predicted": refined}
        return outputs if offsets is None else {**outputs, "offsets": offsets}

    def fill(self, inputs):
        """`predicted` and `offsets` of `call`, in the rectangle around all holes alone; anything beyond, for speed."""
        masked_image, mask = inputs
        if self.attention is None:
            return super().fill(inputs)
        wanted = bounding_box(mask)
        coarse, unknown = self.coarse.fill((_with_planes(masked_image, mask), mask), wanted)
        composited = composite(coarse, masked_image, mask)
        refined, offsets = self.refinement.fill((_with_planes(composited, mask), unknown, mask), wanted)
        return {"predicted": refined, "offsets": offsets}

    def coarse_only(self, masked_image, mask):
        """The first stage alone, for coarse pre-training: float32 [B, H, W, 3] in [-1, 1]."""
        return self.coarse((_with_planes(masked_image, mask), mask))[0]

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "padding": self.padding,
            "attention": self.attends_by,
            "convolution": self.convolution,
        }


class CoarseNetwork(tf.keras.layers.Layer):
    """Stage 1 of DeepFill v1 and v2.

    Args:
        width: n of the papers' tables.
        kind: `ConvolutionKind` of all layers but the last, which is plain: plain in v1, gated in v2.
        padding: of all layers.
        bound: function that brings the last layer's output into [-1, 1].
    Call:
        inputs: (planes, mask): float [B, H, W, 5], masked image, ones and mask, or 6 with a sketch; [B, H, W, 1].
        returns: (coarse, unknown): float [B, H, W, 3] in [-1, 1]; [B, H, W, 1], 1 where no layer knew anything.
    """

    def __init__(self, width, kind, padding, bound, name=None):
        super().__init__(name=name)
        n = width
        self.kind = kind
        convolution, upsample = (partial(layer, padding=padding) for layer in (kind.convolution, kind.upsample))
        self.conv1 = convolution(n, 5, name="conv1")
        self.conv2_downsample = convolution(2 * n, strides=2, name="conv2_downsample")
        self.conv3 = convolution(2 * n, name="conv3")
        self.conv4_downsample = convolution(4 * n, strides=2, name="conv4_downsample")
        self.conv5 = convolution(4 * n, name="conv5")
        self.conv6 = convolution(4 * n, name="conv6")
        self.conv7_atrous = convolution(4 * n, dilation=2, name="conv7_atrous")
        self.conv8_atrous = convolution(4 * n, dilation=4, name="conv8_atrous")
        self.conv9_atrous = convolution(4 * n, dilation=8, name="conv9_atrous")
        self.conv10_atrous = convolution(4 * n, dilation=16, name="conv10_atrous")
        self.conv11 = convolution(4 * n, name="conv11")
        self.conv12 = convolution(4 * n, name="conv12")
        self.conv13_upsample = upsample(2 * n, name="conv13_upsample")
        self.conv14 = convolution(2 * n, name="conv14")
        self.conv15_upsample = upsample(n, name="conv15_upsample")
        self.conv16 = convolution(n // 2, name="conv16")
        self.conv17 = MirrorConv2D(3, activation=None, padding=padding, name="conv17")
        self.bound = bound

    def call(self, inputs):
        planes, mask = inputs
        return self._decode(_chain(self._encoder, self.kind.start(planes, mask)))

    def fill(self, inputs, wanted):
        """What `call` returns, in a `Box` alone; zeros or anything beyond, for speed."""
        planes, mask = inputs
        size = tf.shape(mask)[1:3]
        decoded = _read_by(self._decoder, wanted).within(size // _FEATURE_STRIDE)
        x = self._decode(_encode_box(self._encoder, self.kind, planes, mask, decoded))
        return paste(x, decoded.enlarged(_FEATURE_STRIDE), size)

    @property
    def _encoder(self):
        return (
            self.conv1,
            self.conv2_downsample,
            self.conv3,
            self.conv4_downsample,
            self.conv5,
            self.conv6,
            self.conv7_atrous,
            self.conv8_atrous,
            self.conv9_atrous,
            self.conv10_atrous,
        )

    @property
    def _decoder(self):
        return (
            self.conv11,
            self.conv12,
            self.conv13_upsample,
            self.conv14,
            self.conv15_upsample,
            self.conv16,
            self.conv17,
        )

    def _decode(self, x):
        x = _chain(self._decoder[:-1], x)
        return self.bound(tf.cast(self.conv17(self.kind.features(x)), tf.float32)), self.kind.hole(x)


class RefinementNetwork(tf.keras.layers.Layer):
    """Stage 2 of both.

    Two encoders read the same input: one hallucinates with dilated convolutions, one attends to known features.

    Args:
        attention: as `DeepFillV1Generator`.
        Others as `CoarseNetwork`.
    Call:
        inputs: (composited, unknown, mask): float [B, H, W, 3 or more]; [B, H, W, 1] what the first stage left unknown;
            [B, H, W, 1].
        returns: (refined, offsets): float [B, H, W, 3] in [-1, 1]; None without attention.
    """

    def __init__(self, width, kind, padding, bound, attention="contextual", name=None):
        super().__init__(name=name)
        n = width
        self.kind = kind
        convolution, upsample = (partial(layer, padding=padding) for layer in (kind.convolution, kind.upsample))
        self.xconv1 = convolution(n, 5, name="xconv1")
        self.xconv2_downsample = convolution(n, strides=2, name="xconv2_downsample")
        self.xconv3 = convolution(2 * n, name="xconv3")
        self.xconv4_downsample = convolution(2 * n, strides=2, name="xconv4_downsample")
        self.xconv5 = convolution(4 * n, name="xconv5")
        self.xconv6 = convolution(4 * n, name="xconv6")
        self.xconv7_atrous = convolution(4 * n, dilation=2, name="xconv7_atrous")
        self.xconv8_atrous = convolution(4 * n, dilation=4, name="xconv8_atrous")
        self.xconv9_atrous = convolution(4 * n, dilation=8, name="xconv9_atrous")
        self.xconv10_atrous = convolution(4 * n, dilation=16, name="xconv10_atrous")

        self.pmconv1 = convolution(n, 5, name="pmconv1")
        self.pmconv2_downsample = convolution(n, strides=2, name="pmconv2_downsample")
        self.pmconv3 = convolution(2 * n, name="pmconv3")
        self.pmconv4_downsample = convolution(4 * n, strides=2, name="pmconv4_downsample")
        self.pmconv5 = convolution(4 * n, name="pmconv5")
        self.pmconv6 = convolution(4 * n, activation="relu", name="pmconv6")
        self.attention = _attention(attention, padding)
        self.pmconv9 = convolution(4 * n, name="pmconv9")
        self.pmconv10 = convolution(4 * n, name="pmconv10")

        self.allconv11 = convolution(4 * n, name="allconv11")
        self.allconv12 = convolution(4 * n, name="allconv12")
        self.allconv13_upsample = upsample(2 * n, name="allconv13_upsample")
        self.allconv14 = convolution(2 * n, name="allconv14")
        self.allconv15_upsample = upsample(n, name="allconv15_upsample")
        self.allconv16 = convolution(n // 2, name="allconv16")
        self.allconv17 = MirrorConv2D(3, activation=None, padding=padding, name="allconv17")
        self.bound = bound

    def call(self, inputs):
        composited, unknown, mask = inputs
        start = self.kind.start(composited, unknown)
        hallucinated = _chain(self._hallucination, start)
        x, offsets = _chain(self._matching, _after(hallucinated, start)), None
        if self.attention is not None:
            x, offsets = self.kind.attend(self.attention, x, mask)
        return self._decode(hallucinated, _chain(self._pasted, x)), offsets

    def fill(self, inputs, wanted):
        """`call` in a `Box` alone, with contextual attention; zeros or anything beyond, for speed.

        Only what may be pasted has to be known of the whole picture.
        """
        composited, unknown, mask = inputs
        size = tf.shape(mask)[1:3]
        decoded = _read_by(self._decoder, wanted).within(size // _FEATURE_STRIDE)
        attended = _read_by(self._pasted, decoded).within(size // _FEATURE_STRIDE)
        hallucinated = _encode_box(self._hallucination, self.kind, composited, unknown, decoded)
        x = _chain(self._matching, _after(hallucinated, self.kind.start(composited, unknown)))
        x, offsets = self.kind.attend(self.attention, x, mask, attended)
        x = crop(_chain(self._pasted, crop(x, attended)), decoded.seen_from(attended))
        return paste(self._decode(hallucinated, x), decoded.enlarged(_FEATURE_STRIDE), size), offsets

    @property
    def _hallucination(self):
        return (
            self.xconv1,
            self.xconv2_downsample,
            self.xconv3,
            self.xconv4_downsample,
            self.xconv5,
            self.xconv6,
            self.xconv7_atrous,
            self.xconv8_atrous,
            self.xconv9_atrous,
            self.xconv10_atrous,
        )

    @property
    def _matching(self):
        return (
            self.pmconv1,
            self.pmconv2_downsample,
            self.pmconv3,
            self.pmconv4_downsample,
            self.pmconv5,
            self.pmconv6,
        )

    @property
    def _pasted(self):
        return self.pmconv9, self.pmconv10

    @property
    def _decoder(self):
        return (
            self.allconv11,
            self.allconv12,
            self.allconv13_upsample,
            self.allconv14,
            self.allconv15_upsample,
            self.allconv16,
            self.allconv17,
        )

    def _decode(self, hallucinated, attended):
        x = _chain(self._decoder[:-1], self.kind.join(hallucinated, attended))
        return self.bound(tf.cast(self.allconv17(self.kind.features(x)), tf.float32))


class DeepFillV1Discriminator(tf.keras.Model):
    """Two critics: one sees the whole picture, one the patch around the hole.

    Args:
        width: channels of the first layers (64 in the paper).
    Call:
        inputs: (image, local_patch): float32 [B, H, W, 3] and [B, h, w, 3] in [-1, 1], of fixed sizes, since each
            critic ends in a linear unit over all its features.
        returns: dict of "global" and "local": float32 [B, 1], unbounded scores.
    Reference: Yu et al. 2018, section 3.2 and release 1.0.0.
    """

    def __init__(self, width=64, name="deepfill_v1_discriminator", **kwargs):
        super().__init__(name=name, **kwargs)
        self.width = width
        self.global_critic = Critic((width, 2 * width, 4 * width, 4 * width), name="global_critic")
        self.local_critic = Critic((width, 2 * width, 4 * width, 8 * width), name="local_critic")

    def call(self, inputs, training=False):
        image, local_patch = inputs
        return {"global": self.global_critic(image), "local": self.local_critic(local_patch)}

    def get_config(self):
        return {**super().get_config(), "width": self.width}


class Critic(tf.keras.layers.Layer):
    """Four 5 x 5 convolutions of stride 2 with leaky ReLU, and one linear unit: [B, H, W, C] -> [B, 1]."""

    def __init__(self, filters, name=None):
        super().__init__(name=name)
        first, second, third, fourth = filters
        self.conv1 = _critic_convolution(first, "conv1")
        self.conv2 = _critic_convolution(second, "conv2")
        self.conv3 = _critic_convolution(third, "conv3")
        self.conv4 = _critic_convolution(fourth, "conv4")
        self.head = tf.keras.layers.Dense(1, name="head")

    def call(self, inputs):
        x = self.conv1(inputs)
        x = self.conv2(x)
        x = self.conv3(x)
        x = tf.cast(self.conv4(x), tf.float32)
        return self.head(tf.reshape(x, [tf.shape(x)[0], x.shape[1] * x.shape[2] * x.shape[3]]))


def _attention(kind, padding):
    """The layer between pmconv6 and pmconv9, (foreground, background, mask) -> (features, offsets); None for "none"."""
    if kind not in ATTENTIONS:
        raise ValueError(f"`attention` must be one of {', '.join(ATTENTIONS)}. Received: {kind!r}")
    if kind == "contextual":
        return ContextualAttention(rate=2, name="attention")
    if kind == "spatial_transformer":
        return SpatialTransformer(padding, name="attention")
    return AppearanceFlow(padding, name="attention") if kind == "appearance_flow" else None


def _critic_convolution(filters, name):
    return MirrorConv2D(filters, 5, strides=2, activation=leaky_relu, padding="SAME", name=name)


def clip(x):
    """x brought into [-1, 1], with no gradient outside."""
    return tf.clip_by_value(x, -1.0, 1.0)


def leaky_relu(x):
    """Leaky ReLU of slope 0.2."""
    return tf.nn.leaky_relu(x, 0.2)


def minimum_size(padding):
    """Shortest side of a picture, in pixels: to mirror at dilation 16, features must be 16 wide, to reflect, 17."""
    if padding == "SAME":
        return SIZE_MULTIPLE
    return _WIDEST_DILATION * _FEATURE_STRIDE + (SIZE_MULTIPLE if padding == "REFLECT" else 0)


def _chain(layers, x):
    for layer in layers:
        x = layer(x)
    return x


def _read_by(layers, box):
    """The `Box` of their input that a box of their output is made of."""
    for layer in reversed(layers):
        box = layer.reads(box)
    return box


def _encode_box(layers, kind, planes, hole, box):
    """A `Box` of the features that an encoder makes of a picture, from what it reads of that alone."""
    encoded = _read_by(layers, box).shrunk(_FEATURE_STRIDE).within(tf.shape(hole)[1:3] // _FEATURE_STRIDE)
    seen = encoded.enlarged(_FEATURE_STRIDE)
    features = _chain(layers, kind.start(crop(planes, seen), crop(hole, seen)))
    return crop(features, box.seen_from(encoded))


def _after(done, flow):
    """`flow`, not read before something is done: two branches at a time would hold twice as many maps."""
    with tf.control_dependencies(tf.nest.flatten(done)):
        return tf.nest.map_structure(tf.identity, flow)


def _with_planes(image, mask):
    """concat[image, ones, mask]: [B, H, W, 5]."""
    return tf.concat([image, tf.ones_like(mask), mask], axis=-1)
