"""One update of one network, on every replica, in the order in which it happens.

R replicas with B examples each make the same update as one with R x B: losses are means over examples, and gradients
are averaged over microbatches, then over replicas, before they are clipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import tensorflow as tf

from tf_inpaint.training.loss_scale import LossScale
from tf_inpaint.training.moving_average import MovingAverage


@dataclass(frozen=True)
class Trained:
    """A network as an update sees it.

    Attributes:
        name: of the network, "generator" or "discriminator".
        losses: function of a batch to a dict of scalar terms, means over its examples; or to a pair of that and a nest
            of tensors, `statistics`.
        weights: dict of the trainable tf.Variables; those that no loss reaches stay as they are.
        optimizer: Keras optimizer built on these weights, possibly among others.
        advance: function of the statistics, averaged over microbatches and replicas (() where there are none), that
            changes what is neither weight nor optimizer.
        loss_scale: of this network, or None.
        average: of this network's weights, or None.
    """

    name: str
    losses: Callable
    weights: dict
    optimizer: tf.keras.optimizers.Optimizer
    advance: Callable = lambda statistics: None
    loss_scale: LossScale | None = None
    average: MovingAverage | None = None


class Update:
    """A compiled function of a batch that updates one network and returns what became of it.

    Args:
        trained: the network.
        strategy: what made the weights and the batches.
        clip_norm: largest global norm of the averaged gradients; 0 does not clip.
        microbatches: how many parts each replica's shard of the batch is processed in, one after another, to save
            memory.
        xla: whether losses and gradients are compiled by XLA.
    Call:
        batch: what the strategy's dataset hands out: a dict of tensors, or of a tensor for each replica.
        returns: dict of scalar tensors, averaged over replicas: each term; "<name>_loss", their sum;
            "<name>_gradient_norm", before clipping, 0 where float16 overflowed and the update was left out; and with a
            loss scale "<name>_loss_scale".
    """

    def __init__(self, trained, strategy, clip_norm=0.0, microbatches=1, xla=False):
        self._trained = trained
        self._strategy = strategy
        self._clip_norm = clip_norm
        self._microbatches = microbatches
        if xla:
            self._microbatch_gradients = tf.function(self._microbatch_gradients, jit_compile=True, autograph=False)
        self._compiled = tf.function(self._update, autograph=False)

    def __call__(self, batch):
        return self._compiled(batch)

    def _update(self, batch):
        return self.finish(self.begin(batch))

    def begin(self, batch):
        """What an update knows before any weight changes; in graph mode."""
        trained, strategy = self._trained, self._strategy
        scale = trained.loss_scale.read() if trained.loss_scale else None

        # Losses and gradients: each replica's, of its own shard of the batch.
        terms, statistics, gradients = strategy.run(self._shard_gradients, args=(batch, scale))

        # Advance: gradients are known, and no weight has changed yet.
        trained.advance(self._mean(statistics))
        return terms, gradients, scale

    def finish(self, begun):
        """Change the weights by what `begin` found; returns the update's values."""
        (terms, gradients, scale), trained, strategy = begun, self._trained, self._strategy

        # Reduce over the replicas, clip, apply; not where float16 overflowed on any of them.
        def apply():
            return self._mean(strategy.run(self._reduce_clip_apply, args=(gradients,)))

        if scale is None:
            norm = apply()
        else:
            overflows = strategy.run(_overflows, args=(gradients,))
            overflows = strategy.reduce(tf.distribute.ReduceOp.SUM, overflows, axis=None)
            norm = tf.cond(trained.loss_scale.accepts(tf.equal(overflows, 0)), apply, lambda: tf.constant(0.0))

        # Average: the slow copy follows the weights.
        if trained.average:
            trained.average.update(tf.convert_to_tensor(trained.optimizer.iterations))

        terms = self._mean(terms)
        values = {
            **terms,
            f"{trained.name}_loss": tf.add_n(list(terms.values())),
            f"{trained.name}_gradient_norm": norm,
        }
        return values if scale is None else {**values, f"{trained.name}_loss_scale": scale}

    def _mean(self, values):
        """Of a nest of values that each replica has one of."""
        mean = tf.distribute.ReduceOp.MEAN
        return tf.nest.map_structure(lambda value: self._strategy.reduce(mean, value, axis=None), values)

    def _shard_gradients(self, batch, scale):
        """(terms, statistics, gradients) of a replica's shard: means over its microbatches."""
        count = self._microbatches
        if count == 1:
            return self._microbatch_gradients(batch, scale)
        # [b, ...] -> [count, b / count, ...]
        stacked = {name: tf.reshape(tensor, [count, -1, *tensor.shape[1:]]) for name, tensor in batch.items()}

        def of_microbatch(index):
            return self._microbatch_gradients({name: tensor[index] for name, tensor in stacked.items()}, scale)

        def add(index, total):
            return index + 1, tf.nest.map_structure(tf.add, total, of_microbatch(index))

        # The first stands before the loop: it tells which terms there are and which weights they reach.
        first = (tf.constant(1), of_microbatch(0))
        _, total = tf.while_loop(lambda index, total: index < count, add, first, parallel_iterations=1)
        return tf.nest.map_structure(lambda value: value / count, total)

    def _microbatch_gradients(self, batch, scale):
        """(terms, statistics, gradients of the terms' sum) of one microbatch."""
        trained = self._trained
        with tf.GradientTape() as tape:
            losses = trained.losses(batch)
            losses, statistics = losses if isinstance(losses, tuple) else (losses, ())
            terms = {name: tf.convert_to_tensor(term) for name, term in losses.items()}
            total = tf.add_n(list(terms.values()))
            total = total if scale is None else total * scale
        gradients = tape.gradient(total, trained.weights)
        gradients = {name: gradient for name, gradient in gradients.items() if gradient is not None}
        if not gradients:
            raise ValueError(
                f"`losses` must depend on the {trained.name}'s weights. Received: terms {', '.join(terms)}"
            )
        if scale is not None:
            gradients = {name: gradient / scale for name, gradient in gradients.items()}
        return terms, statistics, gradients

    def _reduce_clip_apply(self, gradients):
        """On a replica: one step of the optimizer with the mean of all replicas' gradients; returns their norm."""
        replica = tf.distribute.get_replica_context()
        replicas = replica.num_replicas_in_sync
        if replicas > 1:
            # Without a gradient of their own, or TensorFlow would search all replicas' graphs for variables: slowly.
            gradients = tf.nest.map_structure(tf.stop_gradient, gradients, expand_composites=True)
            gradients = replica.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        norm = tf.linalg.global_norm(list(gradients.values()))
        if self._clip_norm:
            clipped, _ = tf.clip_by_global_norm(list(gradients.values()), self._clip_norm, use_norm=norm)
            gradients = dict(zip(gradients, clipped))
        # Keras sums over replicas once more: each hands in its fraction of what is the mean already.
        if replicas > 1:
            gradients = {name: gradient / replicas for name, gradient in gradients.items()}
        weights = self._trained.weights
        self._trained.optimizer.apply_gradients([(gradient, weights[name]) for name, gradient in gradients.items()])
        return norm


class JointUpdate:
    """A compiled function of a batch that makes several `Update`s: all gradients first, then all changes.

    Call:
        batch: as of `Update`.
        returns: the values of all.
    """

    def __init__(self, updates):
        self._updates = updates
        self._compiled = tf.function(self._update, autograph=False)

    def __call__(self, batch):
        return self._compiled(batch)

    def _update(self, batch):
        begun = [update.begin(batch) for update in self._updates]
        values = [update.finish(of_it) for update, of_it in zip(self._updates, begun)]
        return {name: value for of_update in values for name, value in of_update.items()}


def _overflows(gradients):
    """How many gradients have elements that are no finite numbers."""
    flaws = [tf.reduce_any(~tf.math.is_finite(gradient)) for gradient in gradients.values()]
    return tf.reduce_sum(tf.cast(tf.stack(flaws), tf.int32))
