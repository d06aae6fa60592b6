"""Both networks with their optimisers: all that training changes, and the only thing a checkpoint holds.

A step is `n_critic` updates of the discriminator and one of the generator, each on its own global batch: update j of
step s takes batch s * (n_critic + 1) + j of an endless sequence. Since pictures, holes and random numbers are pure
functions of their place in it, weights, moments and the step are all that is needed to go on as if training had never
stopped.
"""

from __future__ import annotations

import contextlib

import tensorflow as tf

from tf_inpaint.layers.precision import set_precision
from tf_inpaint.models.weights import named_weights
from tf_inpaint.recipes import RECIPES
from tf_inpaint.training.loss_scale import LossScale
from tf_inpaint.training.moving_average import MovingAverage
from tf_inpaint.training.optimizers import Optimizers
from tf_inpaint.training.update import Update


class Learner:
    """Networks, optimisers and updates of a config, under a strategy.

    TensorFlow's seeds are set to `training.seed`, on which alone the initial weights depend, not on the replicas.

    Args:
        config: a whole `Config`.
        strategy: a `tf.distribute` strategy.

    Attributes:
        recipe: holds both networks.
        strategy: as given.
    """

    def __init__(self, config, strategy):
        training = config.training
        self.strategy = strategy
        self._steps = training.steps
        self._steps_per_call = training.steps_per_call
        with tf.device("CPU:0"):  # read at every step, which must not wait for a GPU
            self._step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        tf.keras.utils.set_random_seed(training.seed)
        with strategy.scope():
            self.recipe = RECIPES[config.recipe](config.options)
            self.recipe.build(*config.data.image_size)
            for network in (self.recipe.generator, self.recipe.discriminator):
                set_precision(network, training.precision)
            self._generator = named_weights(self.recipe.generator)
            self._discriminator = named_weights(self.recipe.discriminator)
            trained = {"generator": _trainable(self._generator), "discriminator": _trainable(self._discriminator)}
            self._optimizers = Optimizers(config.optimizer, **trained)
        self._average = MovingAverage(training.ema_decay, self._generator, strategy) if training.ema_decay else None
        scaled = training.precision == "mixed_float16"
        self._loss_scales = {name: LossScale() if scaled else None for name in trained}

        def update(name, losses, afterwards=None):
            return Update(
                name,
                strategy,
                losses,
                trained[name],
                getattr(self._optimizers, name),
                clip_norm=config.optimizer.clip_norm,
                accumulation_steps=training.accumulation_steps,
                between=lambda statistics: self.recipe.advance(name, statistics),
                afterwards=afterwards,
                loss_scale=self._loss_scales[name],
                xla=training.xla,
            )

        move_average = self._average.update if self._average else None
        self._update_generator = update("generator", self.recipe.generator_losses, move_average)
        self._update_discriminator = update("discriminator", self.recipe.discriminator_losses)
        self._complete = tf.function(self.recipe.preview, autograph=False)
        self._take_steps_in_graph = tf.function(self._many_steps, autograph=False)

    @property
    def step(self):
        """Generator updates done."""
        return int(self._step.numpy())

    @property
    def batches_per_step(self):
        """How many global batches a step takes."""
        return self.recipe.n_critic + self.recipe.n_generator if self.recipe.fresh_batch_per_update else 1

    def variables(self):
        """What a checkpoint holds, as keyword arguments of `tf.train.Checkpoint`; the same names on both Keras
        generations."""
        variables = {"step": self._step, "generator": self._generator, "discriminator": self._discriminator}
        if self._average:
            variables["ema"] = self._average.variables
        scales = {f"{name}_loss_scale": scale.variables for name, scale in self._loss_scales.items() if scale}
        return {**variables, **scales, **self._optimizers.variables()}

    def take_step(self, batches):
        """All updates of one step.

        Args:
            batches: iterator over what the strategy's dataset hands out.
        Returns:
            (values, rates): for each update its dict of scalar tensors, not yet waited for; the learning rates by name.
        """
        rates = self._optimizers.set_learning_rates(self.step, self._steps)
        values = self._updates(batches)
        self._step.assign_add(1)
        return values, rates

    def take_steps(self, batches, count):
        """The same `count` times, in one call of one graph, so that devices do not wait for Python between updates.

        Args:
            batches: as in `take_step`.
            count: 1 .. `training.steps_per_call`.
        Returns:
            (values, rates): for each update of a step its dict of tensors [count]; the learning rates of the last step.
        """
        rates = [self._optimizers.learning_rates(self.step + index, self._steps) for index in range(count)]
        table = [list(each.values()) for each in rates + rates[-1:] * (self._steps_per_call - count)]
        values = self._take_steps_in_graph(batches, tf.constant(table), tf.constant(count))
        columns = iter(tf.unstack(values, axis=1))
        self._step.assign_add(count)
        return [{name: next(columns) for name in names} for names in self._value_names], rates[-1]

    def _many_steps(self, batches, rates, count):
        """A step for each of the first `count` rows of learning rates [steps_per_call, optimisers].

        Always of the same size, so that there is one graph. Returns all values, [count, values].
        """

        def one_step(rates):
            self._optimizers.assign_learning_rates(tf.unstack(rates))
            values = self._updates(batches)
            self._value_names = [list(each) for each in values]  # known as soon as the graph is built
            return tf.stack([value for each in values for value in each.values()])

        return tf.map_fn(one_step, rates[:count], parallel_iterations=1)

    def _updates(self, batches):
        """The updates of one step, and the values of each."""
        values, batch = [], None
        updates = [self._update_discriminator] * self.recipe.n_critic
        for update in updates + [self._update_generator] * self.recipe.n_generator:
            if batch is None or self.recipe.fresh_batch_per_update:
                batch = next(batches)
            values.append(update(batch))
        return values

    def complete(self, batch):
        """The recipe's outputs for a batch, on the first device."""
        return self._complete(batch)

    def averaged_weights(self):
        """Context in which the generator has its averaged weights, if an average is kept."""
        return self._average.in_place_of_weights() if self._average else contextlib.nullcontext()

    def take_over(self, state):
        """Go on where another training stopped, whose weights have been loaded.

        Args:
            state: `checkpoints.training_state.TrainingState`.
        Returns:
            Names of weights whose moments begin at 0 all the same.
        """
        self._step.assign(state.step)
        return self._optimizers.take_over(state.updates, state.moments)

    def forget_average(self):
        """Begin the average anew, after weights have been loaded."""
        if self._average:
            self._average.reset()


def _trainable(weights):
    return {name: weight for name, weight in weights.items() if weight.trainable}
