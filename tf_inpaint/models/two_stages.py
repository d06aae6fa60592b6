"""What DeepFill v1 and v2 share: a coarse network, then refinement with contextual attention, layer for layer.

Attributes carry release 1.0.0's layer names, so that each can be read against its variable list. `call` and `fill` walk
the same chains: `fill` gives them a `Box`, and every part reads only what that box is made of.
"""

from __future__ import annotations

from functools import partial

import tensorflow as tf

from tf_inpaint.layers import AppearanceFlow, ContextualAttention, MirrorConv2D, SpatialTransformer, convolution_kind
from tf_inpaint.layers.chain import Chain
from tf_inpaint.models.generator import Attention, Generator
from tf_inpaint.ops.boxes import bounding_box, crop, paste
from tf_inpaint.ops.images import composite

ATTENTIONS = ("contextual", "spatial_transformer", "appearance_flow", "none")
_WIDEST_DILATION = 16
_FEATURE_STRIDE = 4
_ATTENTION_STRIDE = 8


class TwoStageGenerator(Generator):
    """Completes images in two stages.

    Args:
        width: channels of the first layer.
        padding: "SYMMETRIC" or "REFLECT" (mirror padding) or "SAME" (zeros).
        convolution: "plain", "gated" or "partial", all layers but the last of each stage.
        attention: "contextual", "spatial_transformer", "appearance_flow" or "none".
        bound: function that brings each stage's output into [-1, 1].
        skips: whether decoders also see, after each doubling, what their encoder made at that scale, as in a U-Net.
    Call: as the papers' generators.
    """

    size_multiple = _ATTENTION_STRIDE
    margin = 16

    def __init__(self, width, padding, convolution, attention, bound, name, skips=False, **kwargs):
        super().__init__(name=name, **kwargs)
        self.width = width
        self.padding = padding
        self.convolution = convolution
        self.attends_by = attention
        self.skips = skips
        kind = convolution_kind(convolution)
        self.coarse = CoarseNetwork(width, kind, padding, bound, skips, name="coarse")
        self.refinement = RefinementNetwork(width, kind, padding, bound, attention, skips, name="refinement")

    @property
    def minimum_size(self):
        return minimum_size(self.padding)

    @property
    def attention(self):
        return Attention(_ATTENTION_STRIDE, [self.refinement.attention]) if self.attends_by == "contextual" else None

    @property
    def known_cost(self):
        return 0.125 if self._fills_boxes else None  # measured

    @property
    def _fills_boxes(self):
        return self.attention is not None and not self.skips

    @property
    def returned(self):
        return ("coarse", "refined", "predicted", *(["offsets"] if self.attends_by != "none" else []))

    def coarse_planes(self, inputs):
        """What the first stage reads: float32 [B, H, W, C]."""
        masked_image, mask = inputs
        return with_planes(masked_image, mask)

    def refinement_planes(self, composited, mask):
        """What the second stage reads of the first one's completion: float32 [B, H, W, C]."""
        return with_planes(composited, mask)

    def call(self, inputs, training=False):
        coarse, refined, offsets = self._stages(inputs)
        outputs = {"coarse": coarse, "refined": refined, "predicted": refined}
        return outputs if offsets is None else {**outputs, "offsets": offsets}

    def fill(self, inputs, wanted=None):
        """`predicted` and `offsets` of `call`, in the rectangle around all wanted holes; anything beyond, for speed."""
        if not self._fills_boxes:
            return super().fill(inputs)
        _, refined, offsets = self._stages(inputs, bounding_box(inputs[1] if wanted is None else wanted))
        return {"predicted": refined, "offsets": offsets}

    def coarse_only(self, inputs):
        """The first stage alone, for coarse pre-training: float32 [B, H, W, 3] in [-1, 1]."""
        return self.coarse((self.coarse_planes(inputs), inputs[1]))[0]

    def _stages(self, inputs, *wanted):
        masked_image, mask = inputs[:2]
        coarse, unknown = self.coarse((self.coarse_planes(inputs), mask, *wanted))
        composited = composite(coarse, masked_image, mask)
        return coarse, *self.refinement((self.refinement_planes(composited, mask), unknown, mask, *wanted))


class CoarseNetwork(tf.keras.layers.Layer):
    """Stage 1.

    Args:
        width: n of the papers' tables.
        kind: `ConvolutionKind` of all layers but the last, which is plain: plain in v1, gated in v2.
        padding: of all layers.
        bound: function that brings the last layer's output into [-1, 1].
        skips: as `TwoStageGenerator`.
    Call:
        inputs: (planes, mask) or (planes, mask, wanted): float [B, H, W, 5], masked image, ones and mask, or 6 with
            edges; [B, H, W, 1]; without skips, the `Box` outside of which the results are zeros or anything, for speed.
        returns: (coarse, unknown): float [B, H, W, 3] in [-1, 1]; [B, H, W, 1], 1 where no layer knew anything.
    """

    def __init__(self, width, kind, padding, bound, skips=False, name=None):
        super().__init__(name=name)
        n = width
        self.kind, self.bound, self.skips = kind, bound, skips
        convolution, upsample = _makers(kind, padding)
        self._encoder = Chain(
            self,
            conv1=convolution(n, 5),
            conv2_downsample=convolution(2 * n, strides=2),
            conv3=convolution(2 * n),
            conv4_downsample=convolution(4 * n, strides=2),
            conv5=convolution(4 * n),
            conv6=convolution(4 * n),
            conv7_atrous=convolution(4 * n, dilation=2),
            conv8_atrous=convolution(4 * n, dilation=4),
            conv9_atrous=convolution(4 * n, dilation=8),
            conv10_atrous=convolution(4 * n, dilation=16),
        )
        self._decoder = Chain(
            self,
            conv11=convolution(4 * n),
            conv12=convolution(4 * n),
            conv13_upsample=upsample(2 * n),
            conv14=convolution(2 * n),
            conv15_upsample=upsample(n),
            conv16=convolution(n // 2),
        )
        self.conv17 = MirrorConv2D(3, activation=None, padding=padding, name="conv17")

    def call(self, inputs):
        planes, mask, *wanted = inputs
        if not wanted:
            return self._decode(*_encode(self._encoder, self.kind.start(planes, mask), self.skips))
        size = tf.shape(mask)[1:3]
        decoded = self._decoder.reads(self.conv17.reads(*wanted)).within(size // _FEATURE_STRIDE)
        x = self._decode(_encode_box(self._encoder, self.kind, planes, mask, decoded))
        return paste(x, decoded.enlarged(_FEATURE_STRIDE), size)

    def _decode(self, x, skipped=()):
        x = _decode(self._decoder, self.kind, x, skipped)
        return self.bound(tf.cast(self.conv17(self.kind.features(x)), tf.float32)), self.kind.hole(x)


class RefinementNetwork(tf.keras.layers.Layer):
    """Stage 2.

    Two encoders read the same input: one hallucinates with dilated convolutions, one attends to known features.

    Args:
        attention: as `TwoStageGenerator`.
        Others as `CoarseNetwork`.
    Call:
        inputs: (planes, unknown, mask) or (..., wanted): float [B, H, W, 3 or more]; [B, H, W, 1], what the first stage
            left unknown; [B, H, W, 1]; with contextual attention, a `Box` as `CoarseNetwork` takes it.
        returns: (refined, offsets): float [B, H, W, 3] in [-1, 1]; None without attention.
    """

    def __init__(self, width, kind, padding, bound, attention="contextual", skips=False, name=None):
        super().__init__(name=name)
        n = width
        self.kind, self.bound, self.skips = kind, bound, skips
        convolution, upsample = _makers(kind, padding)
        self._hallucination = Chain(
            self,
            xconv1=convolution(n, 5),
            xconv2_downsample=convolution(n, strides=2),
            xconv3=convolution(2 * n),
            xconv4_downsample=convolution(2 * n, strides=2),
            xconv5=convolution(4 * n),
            xconv6=convolution(4 * n),
            xconv7_atrous=convolution(4 * n, dilation=2),
            xconv8_atrous=convolution(4 * n, dilation=4),
            xconv9_atrous=convolution(4 * n, dilation=8),
            xconv10_atrous=convolution(4 * n, dilation=16),
        )
        self._matching = Chain(
            self,
            pmconv1=convolution(n, 5),
            pmconv2_downsample=convolution(n, strides=2),
            pmconv3=convolution(2 * n),
            pmconv4_downsample=convolution(4 * n, strides=2),
            pmconv5=convolution(4 * n),
            pmconv6=convolution(4 * n, activation="relu"),
        )
        self.attention = _attention(attention, padding)
        self._attended = Chain(self, pmconv9=convolution(4 * n), pmconv10=convolution(4 * n))
        self._decoder = Chain(
            self,
            allconv11=convolution(4 * n),
            allconv12=convolution(4 * n),
            allconv13_upsample=upsample(2 * n),
            allconv14=convolution(2 * n),
            allconv15_upsample=upsample(n),
            allconv16=convolution(n // 2),
        )
        self.allconv17 = MirrorConv2D(3, activation=None, padding=padding, name="allconv17")

    def call(self, inputs):
        planes, unknown, mask, *wanted = inputs
        if not wanted:
            hallucinated, skipped = _encode(self._hallucination, self.kind.start(planes, unknown), self.skips)
            x, offsets = self._attend(hallucinated, planes, unknown, mask)
            return self._decode(hallucinated, self._attended(x), skipped), offsets
        # Only what may be pasted has to be known of the whole image.
        size = tf.shape(mask)[1:3]
        decoded = self._decoder.reads(self.allconv17.reads(*wanted)).within(size // _FEATURE_STRIDE)
        attended = self._attended.reads(decoded).within(size // _FEATURE_STRIDE)
        hallucinated = _encode_box(self._hallucination, self.kind, planes, unknown, decoded)
        x, offsets = self._attend(hallucinated, planes, unknown, mask, attended)
        x = crop(self._attended(crop(x, attended)), decoded.seen_from(attended))
        return paste(self._decode(hallucinated, x), decoded.enlarged(_FEATURE_STRIDE), size), offsets

    def _attend(self, hallucinated, planes, unknown, mask, *needed):
        """Not begun before something is hallucinated: two branches at a time would hold twice as many maps."""
        x = self._matching(_after(hallucinated, self.kind.start(planes, unknown)))
        return (x, None) if self.attention is None else self.kind.attend(self.attention, x, mask, *needed)

    def _decode(self, hallucinated, attended, skipped=()):
        x = _decode(self._decoder, self.kind, self.kind.join(hallucinated, attended), skipped)
        return self.bound(tf.cast(self.allconv17(self.kind.features(x)), tf.float32))


def minimum_size(padding):
    """Shortest side of an image, in pixels: to mirror at dilation 16, features must be 16 wide, to reflect, 17."""
    if padding == "SAME":
        return _ATTENTION_STRIDE
    return _WIDEST_DILATION * _FEATURE_STRIDE + (_ATTENTION_STRIDE if padding == "REFLECT" else 0)


def with_planes(image, mask):
    """concat[image, ones, mask]: [B, H, W, 5]."""
    return tf.concat([image, tf.ones_like(mask), mask], axis=-1)


def _makers(kind, padding):
    """(convolution, upsample): of a layer's arguments, a function of its name, as `Chain` takes them."""
    return [partial(partial, layer, padding=padding) for layer in (kind.convolution, kind.upsample)]


def _attention(kind, padding):
    """The layer between pmconv6 and pmconv9, (foreground, background, mask) -> (features, offsets); None for "none"."""
    if kind not in ATTENTIONS:
        raise ValueError(f"`attention` must be one of {', '.join(ATTENTIONS)}. Received: {kind!r}")
    if kind == "contextual":
        return ContextualAttention(rate=2, name="attention")
    if kind == "spatial_transformer":
        return SpatialTransformer(padding, name="attention")
    return AppearanceFlow(padding, name="attention") if kind == "appearance_flow" else None


def _encode(encoder, x, skips):
    """What an encoder makes and, with skip connections, what it has before each halving."""
    skipped = []
    for name, layer in encoder.layers.items():
        if skips and name.endswith("_downsample"):
            skipped.append(x)
        x = layer(x)
    return x, skipped


def _decode(decoder, kind, x, skipped):
    """What a decoder makes of `x` and, after each doubling, of what was `skipped` at that scale, if anything."""
    skipped = list(skipped)
    for name, layer in decoder.layers.items():
        x = layer(x)
        if skipped and name.endswith("_upsample"):
            x = kind.join(x, skipped.pop())
    return x


def _encode_box(encoder, kind, planes, hole, box):
    """A `Box` of the features that an encoder makes of an image, from what it reads of that alone."""
    encoded = encoder.reads(box).shrunk(_FEATURE_STRIDE).within(tf.shape(hole)[1:3] // _FEATURE_STRIDE)
    seen = encoded.enlarged(_FEATURE_STRIDE)
    features = encoder(kind.start(crop(planes, seen), crop(hole, seen)))
    return crop(features, box.seen_from(encoded))


def _after(done, flow):
    with tf.control_dependencies(tf.nest.flatten(done)):
        return tf.nest.map_structure(tf.identity, flow)
