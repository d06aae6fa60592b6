"""LaMa's training: l1 on what is known, an adversarial term, and what networks see of the predicted image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.features.distance import feature_distance
from tf_inpaint.features.efficientnet_lite import STAGES, EfficientNetLite0
from tf_inpaint.features.resnet50_dilated import ResNet50Dilated
from tf_inpaint.features.vgg import VGGFeatures
from tf_inpaint.layers.batch_norm import advance_statistics
from tf_inpaint.losses.adversarial import (
    feature_matching_loss,
    masked_discriminator_loss,
    masked_generator_loss,
    r1_penalty,
)
from tf_inpaint.losses.perceptual import perceptual_loss
from tf_inpaint.losses.reconstruction import weighted_l1
from tf_inpaint.models.feature_discriminator import FeatureDiscriminator
from tf_inpaint.models.lama import LaMaDiscriminator, LaMaGenerator, least_size
from tf_inpaint.ops.diffaugment import diffaugment
from tf_inpaint.recipes.base import Recipe, RecipeOptions, check_image_size, mean_loss


@dataclass(frozen=True)
class Options(RecipeOptions):
    """What a config may set for LaMa; the defaults are big-lama's, but for the perceptual network.

    Attributes:
        width: channels of the generator's first layer.
        blocks: residual blocks of the generator: 18 in big-lama, 9 in lama-fourier and lama-regular.
        kind: of the blocks: "fourier", fast Fourier convolutions; "regular", plain ones; "dilated", four dilations.
        global_ratio: of the Fourier blocks' channels, in (0, 1): those that see the whole image.
        guided: whether the generator reads edges in the hole (`data.edges`); the release has no such form.
        statistics: that the generator normalises by in training: "batch", as in the release, which moves the stored
            ones; or "stored", which stay, as a few images of one kind go on from trained weights: theirs are of all
            kinds, and of more images than a batch.
        discriminator: "convolutional", the release's; or "features", heads on what EfficientNet-Lite0 sees at several
            depths (Projected GANs), from the package of the extra `features`.
        critic_width: channels of the discriminator's first layer, or of each head.
        shown: to discriminator and perceptual network: "predicted", the whole prediction, as in the release; or
            "completed", the known pixels with the prediction in the holes, so that small networks and short trainings
            learn to fill holes, not to repeat what is known.
        gan: "non_saturating", the log loss; or "hinge".
        augment: of what the discriminator sees, real and predicted alike: "none"; or "diffaugment", colours, shifts and
            boxes cut out, for small data sets.
        l1_known_weight, l1_missing_weight: of the absolute error, of images in [0, 1], outside of holes and in them:
            the term `l1`, a mean over all pixels.
        adversarial_weight: of the generator's adversarial term, `adversarial`; 0 trains without a discriminator, and so
            without `feature_matching`.
        r1_weight: of the squared slope of the discriminator at real images, of images in [0, 1], `r1`; 0 leaves it out.
        feature_matching_weight: of the difference of what the discriminator sees on the way, `feature_matching`.
        perceptual_weight: of the difference of what a trained network sees, `perceptual`; 0 loads none.
        perceptual: which: "efficientnet_lite0", from the package of the extra `features`, "vgg16" or "vgg19", by the
            distance of unit features; or "resnet50", the release's segmentation network, by squared error.
        perceptual_file: of that network's weights: for resnet50 its `encoder_epoch_20.pth`, which must be given; for
            vgg an .h5 file without top. "" downloads Keras' vgg, and takes EfficientNet's from its package.
        perceptual_statistics: that resnet50 normalises by: "batch", as the published runs did; or "stored".
    """

    width: int = 64
    blocks: int = 18
    kind: Literal["fourier", "regular", "dilated"] = "fourier"
    global_ratio: float = 0.75
    guided: bool = False
    statistics: Literal["batch", "stored"] = "batch"
    discriminator: Literal["convolutional", "features"] = "convolutional"
    critic_width: int = 64
    shown: Literal["predicted", "completed"] = "predicted"
    gan: Literal["non_saturating", "hinge"] = "non_saturating"
    augment: Literal["none", "diffaugment"] = "none"
    l1_known_weight: float = 10.0
    l1_missing_weight: float = 0.0
    adversarial_weight: float = 10.0
    r1_weight: float = 0.001
    feature_matching_weight: float = 100.0
    perceptual_weight: float = 30.0
    perceptual: Literal["efficientnet_lite0", "vgg16", "vgg19", "resnet50"] = "efficientnet_lite0"
    perceptual_file: str = ""
    perceptual_statistics: Literal["batch", "stored"] = "batch"


class LaMaRecipe(Recipe):
    """Losses of LaMa. The generator is updated first, then the discriminator, on the same batch.

    Every pass in training moves the running statistics of the network that makes it: in a step the generator's two
    passes and the discriminator's four.

    Reference: Suvorov et al. 2022, section 2, in the form of the release.
    Deviations: the perceptual network, unless the release's is given; the running statistics of a batch in parts
        (`training.accumulation_steps`) are the means of the parts', each of which is normalised by itself.
    """

    Options = Options
    fresh_batch_per_update = False
    generator_first = True

    def __init__(self, options=None):
        super().__init__(options or Options())
        options = self.options
        self.generator = LaMaGenerator(
            options.width, options.blocks, options.kind, options.global_ratio, options.guided
        )
        self._on_features = options.discriminator == "features"
        if self._on_features:
            self.discriminator = FeatureDiscriminator(len(STAGES), options.critic_width)
        else:
            self.discriminator = LaMaDiscriminator(options.critic_width)
        self._seen = None  # function of an image to what the discriminator is shown of it
        self._perceptual_distance = None  # function of two images
        self.n_critic = 1 if options.adversarial_weight else 0

    @classmethod
    def check(cls, options, image_size, mask_options):
        least = least_size(options.kind)
        check_image_size(f"LaMa of kind {options.kind}", image_size, LaMaGenerator.size_multiple, least)
        seen_globally = int(8 * options.width * options.global_ratio)
        if options.kind == "fourier" and (seen_globally % 2 or not 0 < seen_globally < 8 * options.width):
            raise InputError(
                "options.global_ratio of 8 * options.width channels must be an even number of them, at least 2 and not "
                f"all: {options.global_ratio:g} of {8 * options.width} are {seen_globally}"
            )
        weights = (options.l1_known_weight, options.l1_missing_weight, options.perceptual_weight)
        if not any((*weights, options.adversarial_weight)):
            raise InputError(
                "options.l1_known_weight and all other weights of the generator's losses are 0: nothing to learn"
            )
        if options.perceptual_weight and options.perceptual == "resnet50" and not options.perceptual_file:
            raise InputError("options.perceptual_file must name the weights of options.perceptual: resnet50")

    def build(self, height, width):
        options = self.options
        self.build_generator()
        needed = options.perceptual_weight and options.perceptual == "efficientnet_lite0"
        efficientnet = EfficientNetLite0() if self._on_features or needed else None
        self._seen = efficientnet if self._on_features else lambda image: image
        self.discriminator(self._seen(tf.zeros([1, height, width, 3])))
        if options.perceptual_weight:
            self._perceptual_distance = _perceptual_distance(options, efficientnet)

    def build_generator(self):
        self.generator.build(None)

    def generator_losses(self, batch):
        options, image, mask = self.options, batch["image"], batch["mask"]
        outputs, of_generator = self._completed(batch)
        predicted, shown = outputs["predicted"], outputs[options.shown]
        # Differences of images in [0, 1], as the weights are meant for.
        l1 = 0.5 * weighted_l1(predicted, image, mask, options.l1_known_weight, options.l1_missing_weight)
        terms, statistics = {"l1": l1}, {"generator": of_generator, "discriminator": []}
        if self.n_critic:
            (real, _), (fake, _) = (self._augmented(images, batch) for images in (image, shown))
            _, real_features, of_real = self._judge(real)
            fake_scores, fake_features, of_fake = self._judge(fake)
            statistics["discriminator"] = [of_real, of_fake]
            losses = [masked_generator_loss(scores, options.gan) for scores in fake_scores]
            terms["adversarial"] = options.adversarial_weight * mean_loss(losses)
            if options.feature_matching_weight:
                targets = [tf.stop_gradient(features) for features in real_features]
                matching = feature_matching_loss(fake_features, targets)
                terms["feature_matching"] = options.feature_matching_weight * matching
        if options.perceptual_weight:
            terms["perceptual"] = options.perceptual_weight * self._perceptual_distance(shown, image)
        return terms, statistics

    def discriminator_losses(self, batch):
        options = self.options
        outputs, of_generator = self._completed(batch)
        real, mask = self._augmented(batch["image"], batch)
        fake, _ = self._augmented(tf.stop_gradient(outputs[options.shown]), batch)
        if options.r1_weight:
            penalty, (real_scores, _, of_real) = r1_penalty(self._judge, real)
        else:
            real_scores, _, of_real = self._judge(real)
        fake_scores, _, of_fake = self._judge(fake)
        losses = [masked_discriminator_loss(*scores, mask, options.gan) for scores in zip(real_scores, fake_scores)]
        terms = {"critic": mean_loss(losses)}
        if options.r1_weight:
            terms["r1"] = 4.0 * options.r1_weight * penalty  # a slope over [0, 1] is twice that over [-1, 1]
        return terms, {"generator": of_generator, "discriminator": [of_real, of_fake]}

    def _completed(self, batch):
        """(outputs, the generator's statistics) of a pass in training."""
        outputs = self.complete(batch, training=self.options.statistics == "batch")
        return outputs, outputs.pop("statistics", {})

    def _augmented(self, images, batch):
        """(images, mask) as the discriminator is shown them."""
        if self.options.augment == "none":
            return images, batch["mask"]
        return diffaugment(images, batch["mask"], batch["seed"])

    def _judge(self, images):
        """(list of score maps, list of features, statistics) of a pass in training."""
        scores, features, statistics = self.discriminator(self._seen(images), training=True)
        return tf.nest.flatten(scores), features, statistics

    def advance(self, network, statistics=()):
        advance_statistics(self.generator, statistics["generator"])
        if self._on_features:
            self.discriminator.advance()
        else:
            for of_pass in statistics["discriminator"]:
                advance_statistics(self.discriminator, of_pass)


def _perceptual_distance(options, efficientnet):
    """Function of two images to a scalar: how differently a frozen network sees them."""
    if options.perceptual == "resnet50":
        network = ResNet50Dilated(options.perceptual_file, options.perceptual_statistics)
        return lambda ours, theirs: perceptual_loss(network(ours), network(theirs))
    network = efficientnet
    if options.perceptual != "efficientnet_lite0":
        vgg = VGGFeatures(options.perceptual, options.perceptual_file)
        network = lambda image: list(vgg(image).values())  # noqa: E731
    return lambda ours, theirs: tf.reduce_mean(feature_distance(network(ours), network(theirs)))
