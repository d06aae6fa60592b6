import json

import pytest
import tensorflow as tf

from tf_inpaint.errors import InputError
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
    with pytest.raises(ValueError, match="auto, one_device, mirrored, multi_worker, slurm. Received: 'tpu'"):
        make_strategy("tpu")


def test_several_workers_need_a_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(InputError, match="multi_worker needs the environment variable TF_CONFIG"):
        make_strategy("multi_worker")
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    with pytest.raises(InputError, match="slurm needs the environment variable SLURM_PROCID"):
        make_strategy("slurm")


@pytest.mark.parametrize("kind", ["auto", "multi_worker"])
def test_workers_cannot_be_joined_once_something_has_been_computed(monkeypatch, kind):
    tf.constant(0)
    cluster = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}}))
    with pytest.raises(InputError, match="must begin before this process computes anything"):
        make_strategy(kind)


def test_a_cluster_of_one_is_none(monkeypatch):
    cluster = {"worker": ["127.0.0.1:1"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}}))
    assert not isinstance(make_strategy("auto"), tf.distribute.MultiWorkerMirroredStrategy)
