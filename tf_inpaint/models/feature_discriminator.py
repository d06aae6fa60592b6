"""A discriminator that looks through a frozen network, as Projected GANs do."""

from __future__ import annotations

from tf_inpaint.layers.activations import leaky_relu
from tf_inpaint.layers.spectral_norm import SpectralConv2D
from tf_inpaint.models.network import Network


class FeatureDiscriminator(Network):
    """Scores what a frozen network sees of an image, at each of several depths by a head of its own.

    The frozen network is the caller's: it is never trained, and no checkpoint holds it.

    Args:
        heads: number of depths.
        width: channels of a head.
    Call:
        features: list of float32 [B, h, w, C], one for each head.
        training: as others' discriminators; nothing depends on it.
        returns: (scores, hidden, {}): lists of float32 [B, h, w, 1], the higher the likelier real, and of float32
            [B, h, w, width], what the heads compute on the way.
    Reference: Sauer et al. 2021 (Projected GANs), section 3.2.
    Deviations: features are not mixed across channels and scales at random before; heads do not shrink their maps.
    """

    def __init__(self, heads, width=64, name="feature_discriminator", **kwargs):
        super().__init__(name=name, **kwargs)
        self.heads = heads
        for index in range(heads):
            hidden = SpectralConv2D(width, 3, activation=leaky_relu, padding="SAME", name=f"hidden{index}")
            score = SpectralConv2D(1, 1, activation=None, padding="SAME", name=f"score{index}")
            setattr(self, hidden.name, hidden)
            setattr(self, score.name, score)

    def build(self, input_shape):
        self.built = True

    def call(self, features, training=False):
        # training=False, said: Keras hands that of this call on, and a pass would move u, which only `advance` may.
        hidden = [getattr(self, f"hidden{index}")(maps, training=False) for index, maps in enumerate(features)]
        scores = [getattr(self, f"score{index}")(maps, training=False) for index, maps in enumerate(hidden)]
        return scores, hidden, {}

    def advance(self):
        """One power iteration of every kernel."""
        for index in range(self.heads):
            getattr(self, f"hidden{index}").advance()
            getattr(self, f"score{index}").advance()
