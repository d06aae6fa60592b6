"""What the training loop asks of a recipe."""

from __future__ import annotations

import abc
from typing import Callable, Mapping, NamedTuple, Sequence

import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.models.generator import Generator
from tf_inpaint.ops.images import composite


def check_image_size(title, image_size, multiple, minimum=1, padding=""):
    """Raise InputError, in the keys of a config, if a generator cannot take images of (height, width).

    Args:
        title: of the network.
        image_size: (height, width).
        multiple, minimum: what each side must be a multiple of, and its least length, which depends on `padding`.
    """
    if any(side % multiple for side in image_size):
        raise InputError(f"data.image_size must be multiples of {multiple} for {title}, not {image_size}")
    if min(image_size) < minimum:
        condition = f" with options.padding {padding}" if padding else f" for {title}"
        raise InputError(f"data.image_size must be at least {minimum} pixels{condition}, not {image_size}")


def check_one_size(options, image_size, least):
    """Raise InputError if a network of one size, `options.image_size`, cannot take images of (height, width)."""
    side = options.image_size
    if side < least or side & (side - 1):
        raise InputError(f"options.image_size must be a power of 2, at least {least}, not {side}")
    if tuple(image_size) != (side, side):
        raise InputError(f"data.image_size must be options.image_size, {side} x {side}, not {image_size}")


class RecipeOptions:
    """What every recipe's options say, whether or not a config may set it: those it may are fields of `Options`.

    Attributes:
        guided: whether the networks read edges (`data.edges`).
        padding: of the generator's convolutions; None where there is nothing to choose.
        pretrain_coarse: whether the first stage is trained alone.
    """

    guided = False
    padding = None
    pretrain_coarse = False


class Phase(NamedTuple):
    """A stretch of training whose steps are alike.

    Attributes:
        first_step: how many steps were made before it.
        updates: names of the networks that a step updates, in this order.
        losses: for each of them the function of a batch to its losses, see `Recipe.generator_losses`.
        frozen: names of the generator's weights that do not learn.
    """

    first_step: int
    updates: Sequence[str]
    losses: Mapping[str, Callable]
    frozen: frozenset = frozenset()


class Recipe(abc.ABC):
    """A paper's training procedure, of one replica and in graph mode.

    A recipe knows no file, optimiser or strategy. Losses are means over the examples given; the loop averages them
    over replicas, so that 1 x 16 and 2 x 8 examples are the same run. Random numbers come from `batch["seed"]`.

    A batch is a dict of "image" float32 [B, H, W, 3] in [-1, 1], "mask" float32 [B, H, W, 1] (1 = hole), "seed" int32
    [B, 2], for training, and "edges" float32 [B, H, W, 1] (1 = line), for guided generators.

    Attributes:
        Options: frozen dataclass of everything a config may set in its section `options`, a `RecipeOptions`.
        options: the instance given.
        generator, discriminator: a `Generator`, and a Keras model or None.
        n_critic: discriminator updates in a step, before the generator's; 0 trains no discriminator.
        n_generator: generator updates in a step.
        fresh_batch_per_update: whether every update draws its own batch, or all of a step share one; they do in
            trainings of several phases.
        simultaneous: whether a step takes all its gradients before it changes any weight.
        generator_first: whether a step begins with the generator's updates, not with the discriminator's.
        completes_with_critic: whether completing an image needs the discriminator's weights too.
        draws: whether completions are drawn at random, by the options `temperature` and `seed`.
        blending: whether completions are blended into the known pixels' colours.
        measured_in_training: whether `preview` completes images, so that measures of validation images mean something.
    """

    Options: type
    generator: Generator
    discriminator: tf.keras.Model | None = None
    n_critic = 1
    n_generator = 1
    fresh_batch_per_update = True
    simultaneous = False
    generator_first = False
    completes_with_critic = False
    draws = False
    blending = False
    measured_in_training = True

    def __init__(self, options):
        self.options = options

    @classmethod
    @abc.abstractmethod
    def check(cls, options, image_size, mask_options):
        """Raise InputError if networks, image size (height, width) and holes do not fit together.

        Makes no network: a new Keras model computes something, and workers must be joined before that.
        """

    @classmethod
    def implied(cls, written, mask_options):
        """Options that a config has which leaves them out, where holes ask for other values than the defaults.

        Args:
            written: dict of those that it has.
            mask_options: its `MaskOptions`.
        """
        return {}

    @property
    def networks(self):
        """The networks that there are, by name: "generator" and "discriminator"."""
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        return {name: network for name, network in networks.items() if network is not None}

    @property
    def phases(self):
        """The `Phase`s of training, in order; by default one. The networks are built."""
        updates = ["discriminator"] * self.n_critic, ["generator"] * self.n_generator
        order = [*updates[1], *updates[0]] if self.generator_first else [*updates[0], *updates[1]]
        return [Phase(0, order, {"generator": self.generator_losses, "discriminator": self.discriminator_losses})]

    @abc.abstractmethod
    def build(self, height, width):
        """Create all weights for images of height x width."""

    def build_generator(self):
        """Create the generator's weights alone: all that completing needs, but for `completes_with_critic`."""
        side = self.generator.minimum_size
        mask = tf.zeros([1, side, side, 1])
        self.complete({"image": tf.zeros([1, side, side, 3]), "mask": mask, "edges": mask}, training=False)

    def inputs(self, batch):
        """What the generator takes."""
        image, mask = batch["image"], batch["mask"]
        masked_image = image * (1.0 - mask)
        return (masked_image, mask, batch["edges"]) if self.generator.guided else (masked_image, mask)

    def complete(self, batch, training):
        """All named outputs for a batch: the generator's, and "completed" float32 [B, H, W, 3] in [-1, 1]."""
        inputs = self.inputs(batch)
        return with_completed(self.generator(inputs, training=training), inputs)

    def fill(self, batch, wanted=None):
        """What `complete` calls "predicted" and "offsets", not in training, right in the holes alone: quicker where it
        can be, of `wanted` holes as `Generator.fill` has them.
        """
        return self.generator.fill(self.inputs(batch), wanted)

    def preview(self, batch):
        """What is shown and measured of a batch while training."""
        return self.complete(batch, training=False)

    def measure(self, batch):
        """What a validation batch is measured by besides what was completed: dict of float32 [B]."""
        return {}

    def discriminator_losses(self, batch):
        """Weighted named terms whose sum the discriminator minimises: dict of scalars, empty where there is none.

        A recipe whose layers keep statistics of the batch returns (terms, statistics), the latter a nest of tensors
        that `advance` will be given.
        """
        return {}

    @abc.abstractmethod
    def generator_losses(self, batch):
        """As `discriminator_losses`, for the generator."""

    def advance(self, network, statistics=()):
        """Move on what an update of a network changes besides its weights, such as a power iteration.

        Args:
            network: "generator" or "discriminator", which is being updated.
            statistics: what its losses handed back, averaged over parts of the batch and over replicas.

        Called once for each update, outside of the replicas, when gradients are known and weights are not yet changed.
        The losses must not change such state themselves, since they may see a batch in parts.
        """
        return None  # most recipes have nothing to do here


def mean_loss(losses):
    """Of a list of scalars, as of the scores at several depths."""
    return tf.add_n(losses) / len(losses)


def with_completed(outputs, inputs):
    """A generator's outputs, and "completed": predicted in the holes, as given beside them."""
    masked_image, mask = inputs[:2]
    return {**outputs, "completed": composite(outputs["predicted"], masked_image, mask)}
