"""What an `Inpainter` completes with: a Keras model's graph or an exported one."""

from __future__ import annotations

SERVED = {"coarse": "coarse", "attention_flow": "attention"}  # output of an exported model -> image of an engine


class Engine:
    """Completes images whose arrays and size have been checked.

    Attributes:
        recipe: whose networks it runs; None where they are not known.
        guided: whether it takes edges.
        fixed_size: side of the images its network sees, where that is one; None is any.
        size: (height, width) of the only images it takes; None is any.
        margin: pixels by which images are continued beyond borders that a hole reaches, see `models.generator`.
        whole_pixels: largest image that "auto" shows it whole; None is any.
        blending: whether what it predicts has yet to be blended into the known pixels' colours.
        images: names of what all outputs have beside "completed" and "predicted": "coarse", "attention", or neither.
        residuals: strength of the fine detail it adds, which an `Inpainter` has to add where it resizes.
        texture: what it draws into holes by itself, see `Inpainter`, which has to do so again where it resizes.
        max_memory: bytes that completing may take.
        graphs: how many graphs it has built; None: not known.
    """

    recipe = None
    guided = False
    fixed_size = None
    size = None
    margin = 0
    whole_pixels = None
    blending = False
    images = frozenset()
    residuals = 0.0
    texture = "none"
    max_memory = float("inf")
    graphs = None

    def run(self, image, mask, edges, all_outputs):
        """Tensors as of `Completion`, of the same arguments; without `all_outputs` "completed" alone, in the holes."""
        raise NotImplementedError

    def joint_size(self, mask):
        """(height, width) that the network sees of an image with a mask, bool [H, W]; None: it is completed alone."""

    def in_pieces(self, height, width):
        """Whether an image is so thin that it is completed piece by piece, see `inference.large`."""
        return False

    def memory(self, height, width, batch=1, mask=None):
        """As `Inpainter.memory`."""
