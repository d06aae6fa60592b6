"""DeepFill v1's training: discounted l1 around the hole, l1 outside, WGAN-GP on the whole image and on the patch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Tuple

import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.features.efficientnet_lite import EfficientNetLite0
from tf_inpaint.features.vgg import PERCEPTUAL_LAYERS, STYLE_LAYERS, VGGFeatures
from tf_inpaint.losses.adversarial import (
    gradient_penalty,
    interpolate,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
    minimax_discriminator_loss,
    minimax_generator_loss,
    wasserstein_discriminator_loss,
    wasserstein_generator_loss,
)
from tf_inpaint.losses.perceptual import perceptual_loss, style_loss
from tf_inpaint.losses.reconstruction import discounted_l1, hole_l1, total_variation, valid_l1
from tf_inpaint.models.deepfill_v1 import DeepFillV1Discriminator, DeepFillV1Generator
from tf_inpaint.models.two_stages import minimum_size
from tf_inpaint.ops.boxes import corners_around, crop_boxes
from tf_inpaint.ops.discount import box_discount, distance_discount
from tf_inpaint.ops.random import uniform_per_example
from tf_inpaint.recipes.base import Recipe, RecipeOptions, check_image_size, with_completed

_LOSSES = {
    "wgan_gp": (wasserstein_discriminator_loss, wasserstein_generator_loss),
    "least_squares": (least_squares_discriminator_loss, least_squares_generator_loss),
    "minimax": (minimax_discriminator_loss, minimax_generator_loss),
}
# Of EfficientNet-Lite0: at 1/4, which sees about as far as VGG16's relu2_2; and the last of 1/2, 1/4, 1/8 and 1/16.
_PERCEPTUAL_STAGES, _STYLE_STAGES = (3,), (1, 3, 5, 11)


@dataclass(frozen=True)
class Options(RecipeOptions):
    """What a config may set for DeepFill v1; the defaults are the paper's and release 1.0.0's values.

    Attributes:
        width, critic_width: channels of the first layer of the generator and of each discriminator.
        padding: of the generator: the paper's mirror padding, or zeros.
        attention: "contextual", or for the paper's comparison a "spatial_transformer" or an "appearance_flow" in the
            layer's place, or "none": features go by it untouched.
        convolution: of the generator: "plain", or for comparison "partial".
        gan: "wgan_gp", or for the paper's comparison "least_squares" or "minimax" (the log loss of DCGAN), both without
            gradient penalty.
        gan_with_mask: whether the discriminators see the mask as a fourth channel.
        n_critic: discriminator updates, each on a fresh batch, before each generator update.
        pretrain_coarse: train the coarse network alone, without discriminators.
        local_patch: (height, width) of the patch around the hole that the local discriminator and the discounted l1
            see; where holes reach farther, around one of them.
        discount: "box" (the release: on the patch), "distance" (the paper: in the hole, of any shape) or "none" (on the
            patch, undiscounted). A config that says nothing has "distance" with holes that are not one box, and 0.99.
        discount_gamma: per pixel; 0.9 in the release's box form, 0.99 in the paper's distance form.
        l1_weight: of the discounted l1, `l1`; 0, like that of any term from here to `total_variation`, leaves the term
            out.
        autoencoder_weight: of the l1 outside the hole, `autoencoder`.
        coarse_l1_weight: of the coarse output, relative to the refined one, in both.
        perceptual_weight: of the difference of what a trained network sees of the completed image and the true one,
            `perceptual`.
        style_weight: of that of their Gram matrices, `style`.
        total_variation_weight: of neighbouring pixels' differences in and along the hole, `total_variation`.
        perceptual: which network `perceptual_weight` and `style_weight` look through, loaded if one of them is not 0:
            "vgg16" or "vgg19"; or "efficientnet_lite0", from the package of the extra `features`.
        perceptual_file: an .h5 file of vgg's weights without top; "imagenet" or "" downloads Keras'. EfficientNet takes
            its package's.
        adversarial_weight: of both adversarial terms of the generator; 0 trains without discriminators.
        global_weight: of the global discriminator relative to the local one.
        penalty_weight: of the gradient penalties.
    """

    width: int = 32
    critic_width: int = 64
    padding: Literal["SAME", "SYMMETRIC", "REFLECT"] = "SYMMETRIC"
    attention: Literal["contextual", "spatial_transformer", "appearance_flow", "none"] = "contextual"
    convolution: Literal["plain", "partial"] = "plain"
    gan: Literal["wgan_gp", "least_squares", "minimax"] = "wgan_gp"
    gan_with_mask: bool = False
    n_critic: int = 5
    pretrain_coarse: bool = False
    local_patch: Tuple[int, int] = (128, 128)
    discount: Literal["box", "distance", "none"] = "box"
    discount_gamma: float = 0.9
    l1_weight: float = 1.2
    autoencoder_weight: float = 1.2
    coarse_l1_weight: float = 1.2
    perceptual_weight: float = 0.0
    style_weight: float = 0.0
    total_variation_weight: float = 0.0
    perceptual: Literal["vgg16", "vgg19", "efficientnet_lite0"] = "vgg16"
    perceptual_file: str = "imagenet"
    adversarial_weight: float = 0.001
    global_weight: float = 1.0
    penalty_weight: float = 10.0


class DeepFillV1Recipe(Recipe):
    """Losses of DeepFill v1.

    Reference: Yu et al. 2018, sections 3.2 and 4, in the form of release 1.0.0.
    Deviations: every image has a hole of its own (`mask.per_batch: true` restores the release's one for the batch);
        the patch is found from the hole, and is the drawn box where the hole is a box.
    """

    Options = Options

    def __init__(self, options=None):
        super().__init__(options or Options())
        options = self.options
        self.generator = DeepFillV1Generator(options.width, options.padding, options.attention, options.convolution)
        self.discriminator = DeepFillV1Discriminator(options.critic_width)
        self._critic_loss, self._generator_loss = _LOSSES[options.gan]
        self.features = None  # as `_features` makes it, where a loss needs it
        self._with_critics = bool(options.adversarial_weight) and not options.pretrain_coarse
        self.n_critic = options.n_critic if self._with_critics else 0

    @classmethod
    def check(cls, options, image_size, mask_options):
        # Messages name the keys of a config, so that a file and line can be told.
        least = minimum_size(options.padding)
        check_image_size("DeepFill v1", image_size, DeepFillV1Generator.size_multiple, least, options.padding)
        patch = tuple(options.local_patch)
        if any(extent > side for extent, side in zip(patch, image_size)):
            raise InputError(f"options.local_patch {patch} is larger than the image, data.image_size {image_size}")
        weights = (
            options.l1_weight,
            options.autoencoder_weight,
            options.perceptual_weight,
            options.style_weight,
            options.total_variation_weight,
            0.0 if options.pretrain_coarse else options.adversarial_weight,
        )
        if not any(weights):
            raise InputError(
                "options.l1_weight and all other weights of the generator's losses are 0: nothing to learn"
            )
        box = (mask_options.height, mask_options.width)
        if options.discount == "box" and not (mask_options.is_box and box == patch):
            raise InputError(
                f"options.discount 'box' needs box holes of the size of options.local_patch {patch}, "
                f"not {mask_options.kind} holes of {box}; for other holes use discount 'distance'"
            )

    @classmethod
    def implied(cls, written, mask_options):
        if mask_options.is_box or "discount" in written:
            return {}
        return {"discount": "distance", **({} if "discount_gamma" in written else {"discount_gamma": 0.99})}

    def build(self, height, width):
        self.build_generator()
        image, mask = tf.zeros([1, height, width, 3]), tf.zeros([1, height, width, 1])
        position = tf.zeros([1, 2], tf.int32)
        self.discriminator((self._seen(image, mask), self._patch(self._seen(image, mask), position)))
        if self.options.perceptual_weight or self.options.style_weight:
            self.features = _features(self.options)

    def complete(self, batch, training):
        if not self.options.pretrain_coarse:
            return super().complete(batch, training)
        inputs = self.inputs(batch)
        outputs = {"coarse": self.generator.coarse_only(inputs)} if training else self.generator(inputs)
        return with_completed({**outputs, "predicted": outputs["coarse"]}, inputs)

    def fill(self, batch, wanted=None):
        return self.complete(batch, training=False) if self.options.pretrain_coarse else super().fill(batch, wanted)

    def generator_losses(self, batch):
        image, mask = batch["image"], batch["mask"]
        outputs = self.complete(batch, training=True)
        position = corners_around(mask, *self.options.local_patch)
        stages = [(self.options.coarse_l1_weight, outputs["coarse"])]
        if not self.options.pretrain_coarse:
            stages.append((1.0, outputs["refined"]))

        losses = {
            **self._reconstruction(stages, image, mask, position),
            **self._impression(outputs["completed"], image, mask),
        }
        if self._with_critics:
            completed = self._seen(outputs["completed"], mask)
            scores = self.discriminator((completed, self._patch(completed, position)), training=True)
            weight = self.options.adversarial_weight
            losses["adversarial_global"] = weight * self.options.global_weight * self._generator_loss(scores["global"])
            losses["adversarial_local"] = weight * self._generator_loss(scores["local"])
        return losses

    def _reconstruction(self, stages, image, mask, position):
        """Pixel by pixel: the terms l1 and autoencoder of (weight, output) pairs."""
        options, losses = self.options, {}
        if options.l1_weight:
            discounted = self._discounted_l1(image, mask, position)
            losses["l1"] = options.l1_weight * sum(weight * discounted(output) for weight, output in stages)
        if options.autoencoder_weight:
            valid = sum(weight * valid_l1(output, image, mask) for weight, output in stages)
            losses["autoencoder"] = options.autoencoder_weight * valid
        return losses

    def _impression(self, completed, image, mask):
        """Of the completed image as a whole: the terms perceptual, style and total_variation."""
        options, losses = self.options, {}
        if options.perceptual_weight or options.style_weight:
            (content, style), (true_content, true_style) = self.features(completed), self.features(image)
            if options.perceptual_weight:
                losses["perceptual"] = options.perceptual_weight * perceptual_loss(content, true_content)
            if options.style_weight:
                losses["style"] = options.style_weight * style_loss(style, true_style)
        if options.total_variation_weight:
            losses["total_variation"] = options.total_variation_weight * total_variation(completed, mask)
        return losses

    def discriminator_losses(self, batch):
        mask = batch["mask"]
        completed = tf.stop_gradient(self.complete(batch, training=True)["completed"])
        image, completed = self._seen(batch["image"], mask), self._seen(completed, mask)
        position = corners_around(mask, *self.options.local_patch)
        patch, completed_patch, patch_mask = (self._patch(x, position) for x in (image, completed, mask))

        real = self.discriminator((image, patch), training=True)
        fake = self.discriminator((completed, completed_patch), training=True)
        losses = {
            "critic_global": self.options.global_weight * self._critic_loss(real["global"], fake["global"]),
            "critic_local": self._critic_loss(real["local"], fake["local"]),
        }
        if self.options.gan == "wgan_gp":
            alpha_global, alpha_local = self.interpolation(batch)
            critics, weight = self.discriminator, self.options.penalty_weight
            points, patch_points = (
                interpolate(image, completed, alpha_global),
                interpolate(patch, completed_patch, alpha_local),
            )
            losses["penalty_global"] = weight * gradient_penalty(critics.global_critic, points, mask)
            losses["penalty_local"] = weight * gradient_penalty(critics.local_critic, patch_points, patch_mask)
        return losses

    def _seen(self, image, mask):
        """What the discriminators see of an image: [B, H, W, 3], or 4 with the mask."""
        return tf.concat([image, mask], axis=-1) if self.options.gan_with_mask else image

    def interpolation(self, batch):
        """Where between truth and completion the slopes are measured: (global, local) alphas [B] in [0, 1)."""
        return uniform_per_example(batch["seed"], 1), uniform_per_example(batch["seed"], 2)

    def _patch(self, images, position):
        return crop_boxes(images, position, *self.options.local_patch)

    def _discounted_l1(self, image, mask, position):
        """The discounted l1 as a function of the output."""
        options = self.options
        if options.discount == "distance":
            weights = distance_discount(mask, options.discount_gamma)
            return lambda output: hole_l1(output, image, mask, weights)
        gamma = options.discount_gamma if options.discount == "box" else 1.0
        weights = box_discount(*options.local_patch, gamma)
        patch = self._patch(image, position)
        return lambda output: discounted_l1(self._patch(output, position), patch, weights)


def _features(options):
    """Function of an image to what a frozen network sees: features to be alike, and those of alike Gram matrices."""
    if options.perceptual == "efficientnet_lite0":
        network, content, style = EfficientNetLite0(), _PERCEPTUAL_STAGES, _STYLE_STAGES
        see = lambda image: dict(zip(style, network(image, style)))  # noqa: E731
    else:
        content, style = PERCEPTUAL_LAYERS, STYLE_LAYERS
        see = VGGFeatures(options.perceptual, options.perceptual_file, style)

    def features(image):
        seen = see(image)
        return [seen[name] for name in content], [seen[name] for name in style]

    return features
