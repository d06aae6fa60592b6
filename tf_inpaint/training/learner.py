"""Both networks with their optimizers: all that training changes, and the only thing a checkpoint holds.

A step is `n_critic` updates of the discriminator and `n_generator` of the generator, on one global batch or each on its
own, as the recipe says, of an endless sequence. Recipes may have phases, in which a step is something else; which one
it is, the step tells. Since images, masks and random numbers are pure functions of their position in the sequence,
weights, moments and the step are all that is needed to go on as if training had never stopped.
"""

from __future__ import annotations

import contextlib
import functools
import math

import tensorflow as tf

from tf_inpaint.layers.precision import set_precision
from tf_inpaint.models.weights import named_weights
from tf_inpaint.recipes import RECIPES
from tf_inpaint.training.loss_scale import LossScale
from tf_inpaint.training.moving_average import MovingAverage
from tf_inpaint.training.optimizers import Optimizers
from tf_inpaint.training.update import JointUpdate, Trained, Update


class Learner:
    """Networks, optimizers and updates of a config, under a strategy.

    TensorFlow's seeds are set to `training.seed`, on which alone the initial weights depend, not on the replicas.

    Args:
        config: a whole `Config`.
        strategy: a `tf.distribute` strategy.
        image_count: training images, for `training.epochs`.

    Attributes:
        steps: after which training ends.
        recipe: holds both networks.
        strategy: as given.
        weights: dicts of every weight by name, of the "generator" and, where there is one, of the "discriminator".
        complete, measure: functions of a batch to the recipe's outputs and further measures, on the first device.
    """

    def __init__(self, config, strategy, image_count=0):
        training = config.training
        self.strategy = strategy
        self._steps_per_call = training.steps_per_call
        with tf.device("CPU:0"):  # read at every step, which must not wait for a GPU
            self._step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        tf.keras.utils.set_random_seed(training.seed)
        with strategy.scope():
            self.recipe = recipe = RECIPES[config.recipe](config.options)
            self.steps = training.steps
            if training.epochs:
                self.steps = math.ceil(training.epochs * image_count / (self.batches_per_step * config.data.batch_size))
            recipe.build(*config.data.image_size)
            for network in recipe.networks.values():
                set_precision(network, training.precision)
            self.weights = {name: named_weights(network) for name, network in recipe.networks.items()}
            trainable = {name: _trainable(weights) for name, weights in self.weights.items()}
            self._optimizers = Optimizers(config.optimizer, **trainable)
        decay = training.ema_decay
        self._average = MovingAverage(decay, self.weights["generator"], strategy) if decay else None
        scaled = training.precision == "mixed_float16"
        self._loss_scales = {name: LossScale() for name in self.weights} if scaled else {}

        optimizers = {"generator": self._optimizers.generator, "discriminator": self._optimizers.discriminator}

        def update(name, phase):
            advance = functools.partial(recipe.advance, name)
            scale, average = self._loss_scales.get(name), self._average if name == "generator" else None
            learning = {path: weight for path, weight in trainable[name].items() if path not in phase.frozen}
            trained = Trained(name, phase.losses[name], learning, optimizers[name], advance, scale, average)
            return Update(trained, strategy, config.optimizer.clip_norm, training.accumulation_steps, training.xla)

        def steps_of(phase):
            updates = {name: update(name, phase) for name in set(phase.updates)}
            made = [updates[name] for name in phase.updates]
            return _Steps(phase.first_step, [JointUpdate(made)] if recipe.simultaneous else made, self._one_step)

        self._phases = [steps_of(phase) for phase in recipe.phases]
        self.complete = tf.function(recipe.preview, autograph=False)
        self.measure = tf.function(recipe.measure, autograph=False)

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
        variables = {"step": self._step, **self.weights}
        if self._average:
            variables["ema"] = self._average.variables
        scales = {f"{name}_loss_scale": scale.variables for name, scale in self._loss_scales.items()}
        return {**variables, **scales, **self._optimizers.variables()}

    def take_steps(self, batches, count=1):
        """All updates of some steps.

        With `training.steps_per_call` above 1 they are one call of one graph, so that devices do not wait for Python
        between updates. One step at a time is a call for each update instead: a graph of all would be built for longer.

        Args:
            batches: iterator over what the strategy's dataset hands out.
            count: 1 .. `training.steps_per_call`, not beyond `steps_alike`.
        Returns:
            (values, rates): for each update of a step its dict of tensors [count], or of scalars where steps are taken
            one at a time, not yet waited for; the learning rates of the last step by name.
        """
        rates = [self._optimizers.learning_rates(self.step + index, self.steps) for index in range(count)]
        phase = [phase for phase in self._phases if phase.first_step <= self.step][-1]
        if self._steps_per_call == 1:
            values = self._one_step(phase.updates, batches, rates[0].values())
        else:
            # Always as many rows, so that there is one graph.
            rows = [list(row.values()) for row in rates + rates[-1:] * (self._steps_per_call - count)]
            values = phase.in_graph(batches, tf.constant(rows), tf.constant(count))
        self._step.assign_add(count)
        return values, rates[-1]

    @property
    def steps_alike(self):
        """How many steps are left up to the next phase; infinity in the last."""
        left = (phase.first_step - self.step for phase in self._phases)
        return min((steps for steps in left if steps > 0), default=math.inf)

    def _one_step(self, updates, batches, rates):
        """The updates of one step, and the values of each."""
        self._optimizers.assign_learning_rates(rates)
        values, batch = [], None
        for update in updates:
            if batch is None or self.recipe.fresh_batch_per_update:
                batch = next(batches)
            values.append(update(batch))
        return values

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


class _Steps:
    """The steps of a phase, also several in a call of one graph.

    Args:
        first_step: how many steps were made before.
        updates: the `Update`s of a step.
        one_step: function of updates, batches and learning rates to the values of each update.
    """

    def __init__(self, first_step, updates, one_step):
        self.first_step = first_step
        self.updates = updates
        self._one_step = one_step
        self._graph = tf.function(self._many, autograph=False)

    def in_graph(self, batches, rates, count):
        """A step for each of the first `count` rows of learning rates [steps_per_call, optimizers]: values [count]."""
        flat = self._graph(batches, rates, count)
        return tf.nest.pack_sequence_as(self._structure, tf.unstack(flat, axis=1))

    def _many(self, batches, rates, count):
        def one_step(rates):
            values = self._one_step(self.updates, batches, tf.unstack(rates))
            self._structure = tf.nest.map_structure(lambda value: None, values)  # known once the graph is built
            return tf.stack(tf.nest.flatten(values))

        return tf.map_fn(one_step, rates[:count], parallel_iterations=1)


def _trainable(weights):
    return {name: weight for name, weight in weights.items() if weight.trainable}
