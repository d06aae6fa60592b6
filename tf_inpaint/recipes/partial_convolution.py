"""The partial convolutions' training: l1 in holes and beside them, and what a trained network sees of the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Optional

from tf_inpaint.errors import InputError
from tf_inpaint.features.efficientnet_lite import EfficientNetLite0
from tf_inpaint.features.vgg import VGGFeatures
from tf_inpaint.layers.batch_norm import advance_statistics
from tf_inpaint.losses.perceptual import feature_l1, style_l1
from tf_inpaint.losses.reconstruction import total_variation_of_image, total_variation_of_region, weighted_l1
from tf_inpaint.models.partial_convolution import PartialConvolutionGenerator, standardised
from tf_inpaint.models.weights import named_weights
from tf_inpaint.recipes.base import Phase, Recipe, RecipeOptions, check_image_size, with_completed

_VGG_LAYERS = ("block1_pool", "block2_pool", "block3_pool")
_VGG_SCALE = 57.0  # of features of levels over those of standardised colours: 255 times ImageNet's deviation
_STAGES = (1, 3, 5)  # of EfficientNet-Lite0, at 1/2, 1/4 and 1/8 as those of VGG16


@dataclass(frozen=True)
class Options(RecipeOptions):
    """What a config may set for partial convolutions; the defaults are the paper's, but for the perceptual network.

    Attributes:
        width: channels of the generator's first layer.
        depth: how many times it halves an image's sides: 8 in the paper, for 512 x 512; 7 for 256 x 256.
        window_factor: convolutions of what is known are made up to the whole window; false divides by the number of
            known values, as a program that many compare by does, and as a first version of the paper said.
        fine_tune_from: step from which on the encoder's normalisation is frozen, since holes shift the statistics of a
            batch; null never. The paper then takes a quarter of the learning rate (`optimizer.schedule`).
        frozen: what of it: "all", its scales and shifts too; or "statistics" alone.
        valid_weight, hole_weight: of the absolute error outside of holes, `valid`, and in them, `hole`, each a mean
            over all pixels of colours over ImageNet's deviation.
        perceptual_weight: of the absolute difference of what a trained network sees of the predicted and the completed
            image and of the true one, `perceptual`.
        style_weight: of that of its Gram matrices, `style`.
        perceptual: which network: "efficientnet_lite0", from the package of the extra `features`; or the paper's
            "vgg16". With both weights 0 none is loaded.
        perceptual_file: an .h5 file of vgg16's weights without top; "" downloads Keras'. EfficientNet takes its
            package's.
        total_variation_weight: of differences of neighbouring pixels, `total_variation`.
        total_variation: of which: "hole", the paper's, of pixels of the hole grown by one; or "image", of all.
    """

    width: int = 64
    depth: int = 8
    window_factor: bool = True
    fine_tune_from: Optional[int] = None
    frozen: Literal["all", "statistics"] = "all"
    valid_weight: float = 1.0
    hole_weight: float = 6.0
    perceptual_weight: float = 0.05
    style_weight: float = 120.0
    perceptual: Literal["efficientnet_lite0", "vgg16"] = "efficientnet_lite0"
    perceptual_file: str = ""
    total_variation_weight: float = 0.1
    total_variation: Literal["hole", "image"] = "hole"


class PartialConvolutionRecipe(Recipe):
    """Losses of partial convolutions, which need no discriminator, in two phases.

    Reference: Liu et al. 2018, section 3.3 and 4.2.
    Deviations: the perceptual network, unless it is vgg16, whose features are of levels and divided by 57, about what
        they are of standardised colours; the running statistics of a batch in parts (`training.accumulation_steps`) are
        the means of the parts', each of which is normalised by itself.
    """

    Options = Options
    fresh_batch_per_update = False
    n_critic = 0

    def __init__(self, options=None):
        super().__init__(options or Options())
        options = self.options
        self.generator = PartialConvolutionGenerator(options.width, options.depth, options.window_factor)
        self.features = None  # function of an image in [-1, 1] to a list of features, where a loss needs them

    @classmethod
    def check(cls, options, image_size, mask_options):
        multiple = 2**options.depth
        check_image_size(f"partial convolutions of options.depth {options.depth}", image_size, multiple)
        weights = (options.valid_weight, options.hole_weight, options.perceptual_weight, options.style_weight)
        if not any((*weights, options.total_variation_weight)):
            raise InputError("options.valid_weight and the weights of all other losses are 0: nothing to learn")

    def build(self, height, width):
        self.build_generator()
        if self.options.perceptual_weight or self.options.style_weight:
            self.features = _features(self.options)

    @property
    def phases(self):
        options = self.options
        if options.fine_tune_from is None:
            return super().phases
        names = named_weights(self.generator) if options.frozen == "all" else ()
        frozen = frozenset(name for name in names if self.generator.of_encoder(name))
        fine_tuning = Phase(options.fine_tune_from, ("generator",), {"generator": self.fine_tuning_losses}, frozen)
        return [*super().phases, fine_tuning]

    def generator_losses(self, batch):
        return self._losses(batch, frozen=False)

    def fine_tuning_losses(self, batch):
        """`generator_losses` with the encoder's statistics frozen."""
        return self._losses(batch, frozen=True)

    def _losses(self, batch, frozen):
        options, image, mask = self.options, batch["image"], batch["mask"]
        inputs = self.inputs(batch)
        outputs = with_completed(self.generator(inputs, training=True, frozen=frozen), inputs)
        predicted, completed, statistics = outputs["predicted"], outputs["completed"], outputs["statistics"]
        colours, true = standardised(predicted), standardised(image)
        terms = {
            "valid": options.valid_weight * weighted_l1(colours, true, mask, 1.0, 0.0),
            "hole": options.hole_weight * weighted_l1(colours, true, mask, 0.0, 1.0),
        }
        if self.features:
            seen, of_truth = [self.features(images) for images in (predicted, completed)], self.features(image)
            for name, weight, loss in (
                ("perceptual", options.perceptual_weight, feature_l1),
                ("style", options.style_weight, style_l1),
            ):
                if weight:
                    terms[name] = weight * sum(loss(features, of_truth) for features in seen)
        if options.total_variation_weight:
            whole = options.total_variation == "image"
            completed = standardised(completed)
            variation = total_variation_of_image(completed) if whole else total_variation_of_region(completed, mask)
            terms["total_variation"] = options.total_variation_weight * variation
        return terms, statistics

    def advance(self, network, statistics=()):
        advance_statistics(self.generator, statistics)


def _features(options):
    """Function of an image in [-1, 1] to what a frozen network sees of it at a half, a quarter and an eighth."""
    if options.perceptual == "efficientnet_lite0":
        network = EfficientNetLite0()
        return lambda image: network(image, _STAGES)
    vgg = VGGFeatures("vgg16", options.perceptual_file, _VGG_LAYERS)
    return lambda image: [features / _VGG_SCALE for features in vgg(image).values()]
