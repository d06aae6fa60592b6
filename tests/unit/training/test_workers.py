import logging

import pytest
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.training.strategy import make_strategy
from tf_inpaint.training.workers import Workers


class Resolver:
    def __init__(self, index):
        self.task_id = index

    def cluster_spec(self):
        return tf.train.ClusterSpec({"worker": ["a:1000", "b:1000", "c:1000"]})


class Strategy:
    """What `Workers` asks of a strategy, as the worker `index` of three sees it; `others` is what the others add."""

    def __init__(self, index, others=0):
        self.cluster_resolver = Resolver(index)
        self.others = others

    def reduce(self, operation, value, axis):
        return value + tf.cast(self.others, value.dtype)


@pytest.mark.parametrize("kind", ["one_device", "mirrored"])
def test_one_process_is_its_own_chief_and_asks_nobody(kind):
    workers = Workers(make_strategy(kind))
    assert (workers.count, workers.is_chief) == (1, True)
    assert workers.any("SIGTERM") and not workers.any("")
    workers.check_same({"config": "name: a"})
    with pytest.raises(tf.errors.UnavailableError):  # nothing to explain
        with workers.explained_loss(lambda: None):
            raise tf.errors.UnavailableError(None, None, "Collective ops is aborted")


def test_the_first_is_the_chief():
    assert [Workers(Strategy(index)).is_chief for index in range(3)] == [True, False, False]
    assert Workers(Strategy(2)).count == 3


def test_one_wish_is_enough():
    assert Workers(Strategy(1, others=1)).any("")
    assert Workers(Strategy(1)).any("SIGTERM")
    assert not Workers(Strategy(1)).any("")


def test_others_take_over_the_chiefs_values():
    variables = {"a": tf.Variable([1.0, 2.0]), "b": {"c": tf.Variable(3, dtype=tf.int64)}}
    Workers(Strategy(1, others=7)).take_over_from_chief(variables)
    assert variables["a"].numpy().tolist() == [7.0, 7.0] and int(variables["b"]["c"]) == 7
    Workers(Strategy(0)).take_over_from_chief(variables)
    assert variables["a"].numpy().tolist() == [7.0, 7.0]


def test_a_worker_that_differs_says_so():
    Workers(Strategy(0)).check_same({"config": "name: a"})
    with pytest.raises(InputError, match="this worker and the chief have not the same config: "):
        Workers(Strategy(1, others=5)).check_same({"config": "name: a"})


def test_the_chief_alone_says_what_all_have_to_say(caplog):
    for index in range(3):
        with Workers(Strategy(index)).said_by_chief():
            logging.getLogger("tf_inpaint.data.reader").warning("a.png is damaged, to worker %d", index)
    logging.getLogger("tf_inpaint.data.reader").warning("b.png is damaged")
    assert caplog.messages == ["a.png is damaged, to worker 0", "b.png is damaged"]


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("Collective ops is aborted by: Task /job:worker/replica:0/task:1 heartbeat timeout.", "worker 1, b:1000"),
        ("Collective ops is aborted by: Connection reset by peer", ""),
        ("Collective ops is aborted by: an error in /job:worker/task:7", ""),
    ],
)
def test_a_lost_worker_is_one_sentence(message, named):
    with pytest.raises(InputError) as error:
        with Workers(Strategy(0)).explained_loss(lambda: "run/checkpoints/step-00000004"):
            raise tf.errors.UnavailableError(None, None, message)
    text = str(error.value)
    assert text.startswith("another worker has ended or cannot be reached")
    assert named in text and ("(TensorFlow names" in text) == bool(named)
    assert text.endswith("go on from run/checkpoints/step-00000004") and "\n" not in text


def test_other_errors_stay_what_they_are():
    with pytest.raises(tf.errors.InternalError):
        with Workers(Strategy(0)).explained_loss(lambda: None):
            raise tf.errors.InternalError(None, None, "Blas xGEMM launch failed")
