import pytest
import tensorflow as tf

from tf_inpaint.training.strategy import make_strategy


def test_mirrored_takes_every_cpu_where_there_is_no_gpu():
    if tf.config.list_logical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    assert make_strategy("mirrored").num_replicas_in_sync == len(tf.config.list_logical_devices("CPU"))


@pytest.mark.parametrize("kind", ["one_device", "auto"])
def test_one_replica_unless_there_are_several_gpus(kind):
    if len(tf.config.list_logical_devices("GPU")) > 1:
        pytest.skip("this machine has several GPUs")
    assert make_strategy(kind).num_replicas_in_sync == 1


def test_unknown_strategy_is_named():
    with pytest.raises(ValueError, match="auto, one_device, mirrored. Received: 'tpu'"):
        make_strategy("tpu")
