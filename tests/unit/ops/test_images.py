import numpy as np
import tensorflow as tf

from tf_inpaint.ops.images import composite, enlarge_twice, resize_nearest, to_float, to_uint8


def test_every_level_survives_the_round_trip():
    levels = np.arange(256, dtype=np.uint8)
    values = to_float(levels)
    assert values[0] == -1 and values[-1] == 1
    np.testing.assert_array_equal(to_uint8(values), levels)


def test_values_outside_are_clipped_and_the_rest_rounded():
    np.testing.assert_array_equal(to_uint8(tf.constant([-1.5, 1.2, 1 / 127.5 * 0.6, 0.0])), [0, 255, 128, 128])


def test_composite():
    predicted, image = tf.fill([1, 2, 2, 3], 0.5), tf.fill([1, 2, 2, 3], -0.25)
    mask = tf.constant([[[[1.0], [0.0]], [[0.0], [1.0]]]])
    np.testing.assert_array_equal(composite(predicted, image, mask)[0, :, :, 0], [[0.5, -0.25], [-0.25, 0.5]])


def test_halving_is_not_every_other_pixel():
    row = tf.reshape(tf.range(8.0), [1, 8, 1, 1])
    np.testing.assert_array_equal(resize_nearest(row, (4, 1))[0, :, 0, 0], [0, 2, 5, 7])


def test_enlarging_keeps_static_shapes_and_works_without():
    x = tf.random.normal([2, 3, 5, 4])
    np.testing.assert_array_equal(enlarge_twice(x), np.repeat(np.repeat(x, 2, 1), 2, 2))

    @tf.function(input_signature=[tf.TensorSpec([None, None, 5, 4])], autograph=False)
    def dynamic(x):
        y = enlarge_twice(x)
        assert y.shape.as_list() == [None, None, 10, 4]
        return y

    np.testing.assert_array_equal(dynamic(x), enlarge_twice(x))
