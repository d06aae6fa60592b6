"""Adam, or AdaDelta, for both networks, and learning rates as pure functions of the step.

The TF1 releases drive both networks with one Adam object, whose bias correction counts the updates of both: with five
of the discriminator first, the generator's first is corrected as the sixth. `shared_count` keeps that: one Keras
object, built on all weights and applied to one network's at a time. Without it there are two.
"""

from __future__ import annotations

import math

import tensorflow as tf

from tf_inpaint.checkpoints.training_state import SLOTS


def learning_rate_factor(options, step, steps):
    """What a learning rate is multiplied by at a step.

    Warm-up rises linearly to 1 over its steps; then the schedule runs over the steps that remain:
    "constant" stays at 1; "step" multiplies by `decay_rate` after every `decay_every` steps, up to `decay_until`;
    "linear" and "cosine" fall to 0 at the end of training; "inverse_sqrt" falls by the root of the steps.

    Args:
        options: config section `optimizer`.
        step: generator updates done before this one.
        steps: generator updates of the whole training.
    Returns:
        A number, usually in [0, 1].
    """
    if step < options.warmup_steps:
        return (step + 1) / options.warmup_steps
    done = step - options.warmup_steps
    progress = min(done / max(steps - options.warmup_steps, 1), 1.0)
    if options.schedule == "constant":
        return 1.0
    if options.schedule == "step":
        falling = min(done, options.decay_until) if options.decay_until else done
        return options.decay_rate ** (falling // options.decay_every)
    if options.schedule == "linear":
        return 1.0 - progress
    if options.schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * progress))
    if options.schedule == "inverse_sqrt":
        return math.sqrt(max(options.warmup_steps, 1) / (step + 1))
    raise ValueError(f"`options.schedule` must be one of its annotation. Received: {options.schedule!r}")


class Optimizers:
    """The optimizer of the generator and that of the discriminator: one object or two.

    Must be made inside the scope of the strategy that made the weights.

    Args:
        options: config section `optimizer`.
        generator, discriminator: dicts of the networks' trainable tf.Variables by name; no discriminator is none.

    Attributes:
        generator, discriminator: Keras optimizers; the same object if the count is shared.
    """

    def __init__(self, options, generator, discriminator=None):
        self._options = options
        discriminator = discriminator or {}
        if options.shared_count:
            self.generator = self.discriminator = _optimizer(options)
            weights = {f"generator.{name}": weight for name, weight in generator.items()}
            weights.update({f"discriminator.{name}": weight for name, weight in discriminator.items()})
            self._built = {"optimizer": (self.generator, weights)}
        else:
            self.generator, self.discriminator = _optimizer(options), _optimizer(options)
            self._built = {"generator_optimizer": (self.generator, generator)}
            if discriminator:
                self._built["discriminator_optimizer"] = (self.discriminator, discriminator)
        for optimizer, weights in self._built.values():
            optimizer.build(list(weights.values()))

    def learning_rates(self, step, steps):
        """Both learning rates for the updates of a step (see `learning_rate_factor`), by the names they are logged
        under."""
        options, factor = self._options, learning_rate_factor(self._options, step, steps)
        rates = {"learning_rate": factor * options.learning_rate}
        if not options.shared_count:
            other = options.discriminator_learning_rate
            rates["discriminator_learning_rate"] = factor * (options.learning_rate if other is None else other)
        return rates

    def assign_learning_rates(self, rates):
        """Set the values of `learning_rates`, numbers, or scalars of a graph."""
        for optimizer, rate in zip((self.generator, self.discriminator), rates):
            optimizer.learning_rate = rate

    def take_over(self, updates, moments):
        """Go on with the moments of another training.

        Args:
            updates: done there, by "generator" and "discriminator"; both the same if the count was shared.
            moments: weight name -> (first, second), arrays, in the order of `SLOTS`; names are unique over both
                networks.
        Returns:
            Names of our weights that have none there, or of another shape; theirs stay 0.
        """
        lacking = []
        for key, state in self.variables().items():
            network = "discriminator" if key.startswith("discriminator") else "generator"
            state["iterations"].assign(updates.get(network, 0))
            for name in self._built[key][1]:
                weight = name.partition(".")[2] if self._options.shared_count else name
                first, second = (state[f"{slot}.{name}"] for slot in SLOTS[self._options.algorithm])
                values = moments.get(weight)
                if values is None or values[0].shape != tuple(first.shape):
                    lacking.append(weight)
                else:
                    first.assign(values[0])
                    second.assign(values[1])
        return lacking

    def variables(self):
        """What a checkpoint must hold, by readable names that are the same on both Keras generations.

        Returns:
            dict of "optimizer" (shared count), or of "generator_optimizer" and "discriminator_optimizer": dict of
            "iterations" and, for every weight, "m.<name>" and "v.<name>", its first and second moment; of AdaDelta
            "squares.<name>" and "changes.<name>", its mean squares of gradients and of changes.
        """
        slots = SLOTS[self._options.algorithm]
        return {key: _state(optimizer, weights, slots) for key, (optimizer, weights) in self._built.items()}


def _optimizer(options):
    """Keras Adam in the TF1 form: w -= rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon).

    Or AdaDelta: w -= rate * change, where change = sqrt(d + epsilon) / sqrt(a + epsilon) * g, and a and d are running
    means of g^2 and of change^2.
    """
    rate, epsilon = float(options.learning_rate), options.epsilon
    if options.algorithm == "adadelta":
        optimizer = tf.keras.optimizers.Adadelta(rate, rho=options.rho, epsilon=epsilon)
    else:
        optimizer = _Adam(rate, options.beta1, options.beta2, epsilon, name="Adam")
    if hasattr(optimizer, "jit_compile"):
        optimizer.jit_compile = False  # Keras 2 compiles every weight's update by itself where there is a GPU
    return optimizer


class _Adam(tf.keras.optimizers.Adam):
    """Keras's, whose thirty operations for each weight are one, and what all weights share is computed once.

    A network has some hundred weights, and graphs are built anew in every process.
    """

    _shared = None

    def apply_gradients(self, *args, **kwargs):
        try:
            return super().apply_gradients(*args, **kwargs)
        finally:
            self._share(None)

    def update_step(self, gradient, variable, learning_rate=None):
        """Keras's; Keras 3 alone hands in the rate."""
        if self._shared is None:
            dtype = variable.dtype  # which all have
            step = tf.cast(tf.convert_to_tensor(self.iterations) + 1, dtype)
            rate = tf.convert_to_tensor(self.learning_rate if learning_rate is None else learning_rate)
            betas = tf.constant(self.beta_1, dtype), tf.constant(self.beta_2, dtype)
            powers = {f"beta{index}_power": tf.pow(beta, step) for index, beta in enumerate(betas, 1)}
            constants = {"beta1": betas[0], "beta2": betas[1], "epsilon": tf.constant(self.epsilon, dtype)}
            self._share({"lr": tf.cast(rate, dtype), **powers, **constants})
        index = _index(self, variable)
        moments = (_tf_variable(moments[index]) for moments in (self._momentums, self._velocities))
        resources = {name: each.handle for name, each in zip(("var", "m", "v"), (variable, *moments))}
        tf.raw_ops.ResourceApplyAdam(**resources, **self._shared, grad=gradient)

    def _share(self, values):
        object.__setattr__(self, "_shared", values)  # Keras tracks what is set as an attribute


def _index(optimizer, variable):
    """Whose moments are those of a weight; both Keras generations keep them in lists."""
    if hasattr(optimizer, "_get_variable_index"):
        return optimizer._get_variable_index(variable)
    return optimizer._index_dict[optimizer._var_key(variable)]


def _tf_variable(variable):
    return variable if isinstance(variable, tf.Variable) else variable.value


def _state(optimizer, weights, slots):
    # The lists of moments have no public accessor; both Keras generations call them by these names, in build order.
    if slots == SLOTS["adadelta"]:
        moments = optimizer._accumulated_grads, optimizer._accumulated_delta_vars
    else:
        moments = optimizer._momentums, optimizer._velocities
    state = {"iterations": optimizer.iterations}
    for slot, variables in zip(slots, moments):
        state.update((f"{slot}.{name}", variable) for name, variable in zip(weights, variables))
    return {name: _tf_variable(value) for name, value in state.items()}
