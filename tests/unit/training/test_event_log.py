import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.training.event_log import EventLog


def read(folder):
    (file,) = folder.iterdir()
    for record in tf.data.TFRecordDataset(str(file)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            yield event.step, value


def test_scalars_and_pictures_are_records_of_tensorboards_own_kinds(tmp_path):
    log = EventLog(tmp_path)
    log.scalars(3, {"l1": 0.5, "penalty": 2.0})
    picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    log.picture(4, "views", picture)
    log.close()
    (first_step, first), (_, second), (_, third) = read(tmp_path)
    assert (first_step, first.tag, first.metadata.plugin_data.plugin_name) == (3, "l1", "scalars")
    assert float(tf.make_ndarray(first.tensor)) == 0.5
    assert second.tag == "penalty"
    assert (third.tag, third.metadata.plugin_data.plugin_name) == ("views", "images")
    width, height, png = tf.make_ndarray(third.tensor)
    assert (int(width), int(height)) == (6, 4)
    np.testing.assert_array_equal(tf.io.decode_png(png).numpy(), picture)


def test_records_equal_those_of_tf_summary(tmp_path):
    pytest.importorskip("tensorboard", reason="tf.summary.scalar needs the tensorboard package")
    picture = np.zeros([4, 6, 3], np.uint8)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    log = EventLog(ours)
    log.scalars(1, {"l1": 0.5})
    log.picture(1, "views", picture)
    log.close()
    with tf.summary.create_file_writer(str(theirs)).as_default(step=1):
        tf.summary.scalar("l1", 0.5)
        tf.summary.image("views", picture[None])
    for (_, mine), (_, original) in zip(read(ours), read(theirs)):
        assert (mine.tag, mine.tensor.dtype) == (original.tag, original.tensor.dtype)
        assert mine.metadata.plugin_data.plugin_name == original.metadata.plugin_data.plugin_name
        assert mine.metadata.data_class == original.metadata.data_class
        np.testing.assert_array_equal(tf.make_ndarray(mine.tensor), tf.make_ndarray(original.tensor))
