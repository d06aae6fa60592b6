import json
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.training.cluster import Cluster, cluster_from_slurm, cluster_from_tf_config, expand_hosts

TWO = ["a:1000", "b:1000"]


def tf_config(cluster, kind="worker", index=0):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


def test_workers_of_tf_config():
    assert cluster_from_tf_config(tf_config({"worker": TWO}, index=1)) == Cluster(("a:1000", "b:1000"), 1)


def test_a_chief_comes_first():
    cluster = {"worker": TWO, "chief": ["c:1000"]}
    addresses = ("c:1000", "a:1000", "b:1000")
    assert cluster_from_tf_config(tf_config(cluster, "chief")) == Cluster(addresses, 0)
    assert cluster_from_tf_config(tf_config(cluster, "worker", 1)) == Cluster(addresses, 2)


@pytest.mark.parametrize("text", [None, "", " ", "{}", '{"cluster": {}}', '{"task": {"type": "worker", "index": 0}}'])
def test_no_cluster(text):
    assert cluster_from_tf_config({} if text is None else {"TF_CONFIG": text}) is None


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"TF_CONFIG": "{'cluster'"}, "is not JSON"),
        ({"TF_CONFIG": "[1]"}, "must have a cluster and a task"),
        ({"TF_CONFIG": json.dumps({"cluster": {"worker": TWO}})}, "must have a cluster and a task"),
        (tf_config({"worker": "a:1000"}), "must list the addresses of worker"),
        (tf_config({"worker": []}), "must list the addresses of worker"),
        (tf_config({"worker": ["a", "b:1000"]}), "must name every worker as host:port, not 'a'"),
        (tf_config({"worker": ["a:1000", "a:1000"]}), "names a:1000 twice"),
        (tf_config({"worker": TWO}, index=2), "says that this is worker 2, but there are 2, counted from 0"),
        (tf_config({"worker": TWO}, index="0"), "says that this is worker '0'"),
        (tf_config({"worker": TWO}, index=True), "says that this is worker True"),
        (tf_config({"worker": TWO}, "chief"), "says that this is chief 0, but there are 0"),
        (tf_config({"worker": TWO, "ps": ["c:1000"]}), "has a task of type 'ps', but here every process is a worker"),
        (tf_config({"worker": TWO}, "evaluator"), "has a task of type 'evaluator'"),
        (tf_config({"worker": TWO}, None), "has a task of type None"),
    ],
)
def test_a_wrong_tf_config_is_one_sentence(environment, complaint):
    with pytest.raises(InputError) as error:
        cluster_from_tf_config(environment)
    assert f"the environment variable TF_CONFIG {complaint}" in str(error.value)
    assert str(error.value).endswith("an example is " + _example()) and "\n" not in str(error.value)


def _example():
    return '{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", "index": 0}}'


def slurm(nodes="node[1-2]", tasks="1(x2)", rank="1", job="1252"):
    return {
        "SLURM_PROCID": rank,
        "SLURM_JOB_ID": job,
        "SLURM_STEP_NODELIST": nodes,
        "SLURM_STEP_TASKS_PER_NODE": tasks,
    }


def test_tasks_of_a_slurm_step():
    # 10000 + 16 * (1252 % 1250)
    assert cluster_from_slurm(slurm()) == Cluster(("node1:10032", "node2:10032"), 1)
    assert cluster_from_slurm(slurm("a,b", "2,1", "2")) == Cluster(("a:10032", "a:10033", "b:10032"), 2)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("node", ["node"]),
        ("n[8-10]", ["n8", "n9", "n10"]),  # in Slurm's order, which counts
        ("n[08-10,12],m1", ["n08", "n09", "n10", "n12", "m1"]),
        ("rack[1-2]n[1,3]-ib", ["rack1n1-ib", "rack1n3-ib", "rack2n1-ib", "rack2n3-ib"]),
    ],
)
def test_lists_of_nodes(text, hosts):
    assert expand_hosts(text) == hosts


def test_the_nodes_are_those_of_tensorflows_resolver(monkeypatch):
    environment = {**slurm("n[01-03],x", "2(x2),1,2", "4"), "SLURM_STEP_NUM_TASKS": "7", "CUDA_VISIBLE_DEVICES": "0,1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(auto_set_gpu=False)
    theirs = resolver.cluster_spec().as_dict()["worker"]
    ours = cluster_from_slurm()
    assert [address.split(":")[0] for address in ours.addresses] == [address.split(":")[0] for address in theirs]
    assert ours.index == resolver.task_id


def test_outside_of_a_slurm_step_the_missing_variable_is_named():
    environment = slurm()
    del environment["SLURM_STEP_NODELIST"]
    with pytest.raises(InputError, match="needs the environment variable SLURM_STEP_NODELIST, which srun sets"):
        cluster_from_slurm(environment)


@pytest.mark.parametrize(
    "environment", [slurm(tasks="?"), slurm(tasks="1"), slurm(rank="2"), slurm(rank="x"), slurm(nodes="n[1-x]")]
)
def test_slurm_variables_nobody_can_understand(environment):
    with pytest.raises(InputError, match="cannot understand Slurm's variables SLURM_PROCID"):
        cluster_from_slurm(environment)


@pytest.mark.slow
def test_reading_a_config_computes_nothing():
    """Workers must be joined before TensorFlow computes anything, and a config is read before that."""
    program = (
        "import tensorflow as tf\n"
        "from tf_inpaint.config import load_config\n"
        "import glob\n"
        "for path in sorted(glob.glob('configs/*.yml')):\n"
        "    load_config(path)\n"
        "    tf.config.set_visible_devices([])  # refused once TensorFlow has computed something\n"
    )
    root = os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
