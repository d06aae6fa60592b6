"""One optimiser step of one network, on every replica.

Each replica sums its loss terms and differentiates them for this network alone. Gradients are averaged over parts of
the batch, then over replicas, then clipped: R replicas with B examples each make the same update as one with R x B.
"""

from __future__ import annotations

import tensorflow as tf


class Update:
    """A compiled function of a batch that updates one network and returns its loss terms.

    Args:
        name: of the network; its sum of terms is returned as "<name>_loss", its gradient norm, before clipping, as
            "<name>_gradient_norm".
        strategy: what made the weights and the batches.
        losses: function of a replica's batch to a dict of scalar terms, means over its examples; or to a pair of that
            and a nest of tensors, `statistics`.
        weights: dict of the trainable tf.Variables to differentiate for; those that no loss reaches stay as they are.
        optimizer: Keras optimizer built on these weights, possibly among others.
        clip_norm: largest global norm of the averaged gradients; 0 does not clip.
        accumulation_steps: how many parts each replica's batch is processed in, one after another, to save memory.
        between: function of the statistics, averaged over parts and replicas (() where there are none), called in
            cross-replica context when gradients are known and no weight has changed yet.
        afterwards: function called, in cross-replica context, after the weights have changed.
        xla: whether losses and gradients are compiled by XLA.
        loss_scale: `LossScale` of this network, or None. The scale is returned as "<name>_loss_scale", and where an
            update is left out the gradient norm as 0.
    Call:
        batch: what the strategy's dataset hands out: a dict of tensors, or of a tensor for each replica.
        returns: dict of scalar tensors, averaged over replicas.
    """

    def __init__(
        self,
        name,
        strategy,
        losses,
        weights,
        optimizer,
        clip_norm=0.0,
        accumulation_steps=1,
        between=None,
        afterwards=None,
        loss_scale=None,
        xla=False,
    ):
        self._name = name
        self._strategy = strategy
        self._losses = losses
        self._weights = weights
        self._optimizer = optimizer
        self._clip_norm = clip_norm
        self._parts = accumulation_steps
        self._between = between
        self._afterwards = afterwards
        self._loss_scale = loss_scale
        if xla:
            self._differentiate = tf.function(self._differentiate, jit_compile=True, autograph=False)
        self._compiled = tf.function(self._on_all_replicas, autograph=False)

    def __call__(self, batch):
        return self._compiled(batch)

    def _on_all_replicas(self, batch):
        mean = tf.distribute.ReduceOp.MEAN
        scale = self._loss_scale.read() if self._loss_scale else None
        terms, statistics, gradients = self._strategy.run(self._accumulate, args=(batch, scale))
        if self._between is not None:
            self._between(tf.nest.map_structure(lambda x: self._strategy.reduce(mean, x, axis=None), statistics))
        norm = self._apply_on_all(gradients) if scale is None else self._apply_if_finite(gradients)
        if self._afterwards is not None:
            self._afterwards()
        terms = {name: self._strategy.reduce(mean, term, axis=None) for name, term in terms.items()}
        return {
            **terms,
            f"{self._name}_loss": tf.add_n(list(terms.values())),
            f"{self._name}_gradient_norm": norm,
            **({} if scale is None else {f"{self._name}_loss_scale": scale}),
        }

    def _apply_on_all(self, gradients):
        norm = self._strategy.run(self._apply, args=(gradients,))
        return self._strategy.reduce(tf.distribute.ReduceOp.MEAN, norm, axis=None)

    def _apply_if_finite(self, gradients):
        overflows = self._strategy.run(_not_finite, args=(gradients,))
        overflows = self._strategy.reduce(tf.distribute.ReduceOp.SUM, overflows, axis=None)
        return tf.cond(
            self._loss_scale.accepts(tf.equal(overflows, 0)),
            lambda: self._apply_on_all(gradients),
            lambda: tf.constant(0.0),
        )

    def _apply(self, gradients):
        """One step of the optimiser with the mean of all replicas' gradients; returns its norm before clipping."""
        replica = tf.distribute.get_replica_context()
        gradients = replica.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        norm = tf.linalg.global_norm(list(gradients.values()))
        if self._clip_norm:
            clipped, _ = tf.clip_by_global_norm(list(gradients.values()), self._clip_norm, use_norm=norm)
            gradients = dict(zip(gradients, clipped))
        # Keras sums over replicas once more: each hands in its share of what is already the mean.
        share = 1.0 / replica.num_replicas_in_sync
        self._optimizer.apply_gradients(
            [(gradient * share, self._weights[name]) for name, gradient in gradients.items()]
        )
        return norm

    def _accumulate(self, batch, scale):
        """Terms, statistics and gradients of a replica's batch: means over its parts."""
        if self._parts == 1:
            return self._differentiate(batch, scale)
        parts = {key: _split(tensor, self._parts) for key, tensor in batch.items()}

        def of_part(index):
            return self._differentiate({key: tensor[index] for key, tensor in parts.items()}, scale)

        def add_part(index, total):
            return index + 1, tf.nest.map_structure(tf.add, total, of_part(index))

        # The first part stands before the loop: it tells which terms there are and which weights they reach.
        _, total = tf.while_loop(
            lambda index, total: index < self._parts, add_part, (tf.constant(1), of_part(0)), parallel_iterations=1
        )
        return tf.nest.map_structure(lambda value: value / self._parts, total)

    def _differentiate(self, batch, scale):
        """Terms, statistics, and gradients of the terms' sum, of one part."""
        with tf.GradientTape() as tape:
            losses = self._losses(batch)
            losses, statistics = losses if isinstance(losses, tuple) else (losses, ())
            terms = {name: tf.convert_to_tensor(term) for name, term in losses.items()}
            total = tf.add_n(list(terms.values()))
            total = total if scale is None else total * scale
        gradients = tape.gradient(total, self._weights)
        reached = {name: gradient for name, gradient in gradients.items() if gradient is not None}
        if not reached:
            raise ValueError(f"`losses` must depend on the {self._name}'s weights. Received: terms {', '.join(terms)}")
        if scale is not None:
            reached = {name: gradient / scale for name, gradient in reached.items()}
        return terms, statistics, reached


def _not_finite(gradients):
    """How many gradients have elements that are no finite numbers."""
    flaws = [tf.reduce_any(~tf.math.is_finite(gradient)) for gradient in gradients.values()]
    return tf.reduce_sum(tf.cast(tf.stack(flaws), tf.int32))


def _split(tensor, parts):
    """[B, ...] -> [parts, B / parts, ...]."""
    return tf.reshape(tensor, [parts, -1, *tensor.shape[1:]])
