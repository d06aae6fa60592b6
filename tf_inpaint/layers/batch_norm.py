"""Batch normalisation that is the same on one device and on several, and changes nothing behind the caller's back."""

from __future__ import annotations

import tensorflow as tf

from tf_inpaint.layers.layer import Layer


class BatchNorm(Layer):
    """Each channel brought to mean 0 and variance 1, then scaled and shifted.

    In training the statistics are those of the batch, over all replicas, and are handed back: a pass does not change
    the running ones, `advance` does. So losses stay pure functions, and whoever makes several passes in one update says
    which of them count.

    Args:
        momentum: share of a batch in the running statistics, in (0, 1].
        epsilon: > 0, added to the variance.
        gamma_initializer: name of a Keras initializer; None is N(1, 0.02), as in Torch.
        axis_by_axis: sum over one axis after the other, which rounds to 1e-7 where all at once it is 1e-5 on large
            maps: enough for ReLUs to flip, so that a batch shared out otherwise has gradients that differ by 1e-2.
    Call:
        inputs: float [B, ..., C].
        training: use the batch's statistics, not the running ones.
        returns: (outputs of the shape of `inputs`, statistics): (mean [C], unbiased variance [C]) of the batch in
            training, otherwise ().
    Reference: Ioffe and Szegedy 2015, with Torch's constants.
    Deviations: over several replicas the statistics are the whole batch's.
    """

    def __init__(self, momentum=0.1, epsilon=1e-5, gamma_initializer=None, axis_by_axis=False, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.axis_by_axis = axis_by_axis
        self.gamma_initializer = gamma_initializer
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape):
        shape = (input_shape[-1],)
        gamma = self.gamma_initializer or tf.keras.initializers.RandomNormal(1.0, 0.02)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer=gamma, trainable=True)
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros", trainable=True)
        self.moving_mean = self.add_weight(name="moving_mean", shape=shape, initializer="zeros", trainable=False)
        self.moving_variance = self.add_weight(name="moving_variance", shape=shape, initializer="ones", trainable=False)
        self.built = True

    def call(self, inputs, training=False):
        if training:
            gamma, beta = self.in_order(self.gamma, self.beta)
            outputs, mean, variance = _normalised(inputs, gamma, beta, self.epsilon, self.axis_by_axis)
            count = _count(inputs)
            statistics = self.in_order(mean, variance * count / tf.maximum(count - 1.0, 1.0), back=True)
            return outputs, tuple(map(tf.stop_gradient, statistics))
        gamma, beta, mean, variance = self.in_order(self.gamma, self.beta, self.moving_mean, self.moving_variance)
        if inputs.shape.rank == 4 and inputs.dtype == tf.float32:  # one pass over the map in place of three
            settings = {"epsilon": self.epsilon, "is_training": False}
            return tf.raw_ops.FusedBatchNormV3(
                x=inputs, scale=gamma, offset=beta, mean=mean, variance=variance, **settings
            ).y, ()
        return (inputs - mean) * (gamma * tf.math.rsqrt(variance + self.epsilon)) + beta, ()

    def in_order(self, *vectors, back=False):
        """Weights [C] in the order of the inputs' channels; back: the other way round."""
        return [*map(tf.convert_to_tensor, vectors)]

    def advance(self, statistics):
        """Move the running statistics towards those a pass in training handed back."""
        for running, seen in zip((self.moving_mean, self.moving_variance), statistics):
            running.assign(running + self.momentum * (seen - running))


class PassNorm(Layer):
    """Batch normalisation by what a pass sees, in training or not: there are no running statistics.

    In training the statistics are those of the batch, over all replicas. Otherwise each example has its own, so that
    it does not depend on its neighbours: what a batch of one has.

    Args:
        epsilon: > 0, added to the variance. TensorFlow's fused kernel makes 1.001e-5 of 1e-5.
    Call:
        inputs: float [B, H, W, C].
        training: see above.
        returns: (outputs of the shape of `inputs`, ()), as `BatchNorm` does.
    Reference: Isola et al. 2017, section 6.1.1.
    """

    def __init__(self, epsilon=1.001e-5, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        shape, gamma = (input_shape[-1],), tf.keras.initializers.RandomNormal(1.0, 0.02)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer=gamma, trainable=True)
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros", trainable=True)
        self.built = True

    def call(self, inputs, training=False):
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        if training:
            return _normalised(inputs, gamma, beta, self.epsilon, axis_by_axis=True)[0], ()
        mean, variance = tf.nn.moments(inputs, [1, 2], keepdims=True)  # [B, 1, 1, C]
        return (inputs - mean) * (gamma * tf.math.rsqrt(variance + self.epsilon)) + beta, ()


def advance_statistics(owner, statistics):
    """Move on the running statistics of every `BatchNorm` below a layer.

    Args:
        owner: a layer or model.
        statistics: what its passes in training handed back, nested dicts by attribute; () is passed over.
    """
    for name, seen in statistics.items():
        child = getattr(owner, name)
        if isinstance(seen, dict):
            advance_statistics(child, seen)
        else:
            child.advance(seen)


def _normalised(inputs, gamma, beta, epsilon, axis_by_axis):
    """(outputs, mean [C], variance [C]); outputs alone have a gradient, written out to be quick."""

    @tf.custom_gradient
    def normalised(inputs, gamma, beta):
        mean = _over_replicas(_mean(inputs, axis_by_axis))
        centred = inputs - mean
        variance = _over_replicas(_mean(tf.square(centred), axis_by_axis))
        inverse = tf.math.rsqrt(variance + epsilon)
        scale = gamma * inverse

        def gradient(of_outputs, *_):
            mean_of_outputs = _mean(of_outputs, axis_by_axis)
            covariance = _mean(of_outputs * centred, axis_by_axis)
            slope = scale * tf.square(inverse) * _over_replicas(covariance)
            offset = scale * _over_replicas(mean_of_outputs)
            count = _count(inputs) / _replicas()
            of_inputs = of_outputs * scale - (centred * slope + offset)
            return of_inputs, covariance * inverse * count, mean_of_outputs * count

        return (centred * scale + beta, mean, variance), gradient

    return normalised(inputs, gamma, beta)


def batch_moments(inputs, axis_by_axis=True):
    """(mean [C], variance [C], count) over all but the channels, of all replicas together.

    The variance is written out: that of `tf.nn.moments` has no right second derivative.
    """
    mean = _over_replicas(_mean(inputs, axis_by_axis))
    return mean, _over_replicas(_mean(tf.square(inputs - mean), axis_by_axis)), _count(inputs)


def _mean(values, axis_by_axis):
    """[C], over all other axes."""
    axes = list(range(values.shape.rank - 1))
    for stage in reversed(axes) if axis_by_axis else [axes]:
        values = tf.reduce_mean(values, stage)
    return values


def _count(inputs):
    """How many values of each channel all replicas have together."""
    shape = inputs.shape[:-1]
    count = shape.num_elements() if shape.is_fully_defined() else tf.reduce_prod(tf.shape(inputs)[:-1])
    return tf.cast(count, inputs.dtype) * _replicas()


def _replicas():
    replica = tf.distribute.get_replica_context()
    return replica.num_replicas_in_sync if replica is not None else 1


def _over_replicas(value):
    """The mean over replicas, each of which has as many examples."""
    return value if _replicas() == 1 else _mean_over_replicas(value)


@tf.custom_gradient
def _mean_over_replicas(value):
    # While graphs are built, TensorFlow looks behind whatever has a gradient of its own for variables: through what the
    # other replicas hand in all the way to their inputs, at each layer anew. It stops at what has no gradient.
    mean = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, tf.stop_gradient(value))
    return mean, _mean_over_replicas
