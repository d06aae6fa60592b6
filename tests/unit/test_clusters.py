"""The examples for clusters: that they say what train.py, Slurm and Kubernetes understand."""

import json
import shlex

import yaml
from runs import ROOT

from tf_inpaint.config import load_config
from tf_inpaint.training.cluster import cluster_from_tf_config

CLUSTERS = ROOT / "clusters"


def config_of(command):
    """What train.py takes from a command that begins anywhere."""
    words = command[command.index("train.py") + 1 :]
    assert words[0] == "--config" and words[2] == "--set"
    return load_config(ROOT / words[1], words[3:])


def test_the_script_for_slurm_trains_on_all_gpus_of_its_nodes():
    lines = (CLUSTERS / "slurm.sh").read_text().splitlines()
    words = [word for line in lines if line.startswith("#SBATCH") for word in line.split()]
    asked = dict(word[2:].split("=") for word in words if "=" in word)
    (command,) = [shlex.split(line) for line in lines if line.startswith("srun ")]
    config = config_of(command)
    assert config.training.strategy == "slurm"
    assert config.data.batch_size % (int(asked["nodes"]) * int(asked["gpus-per-node"])) == 0
    assert asked["ntasks-per-node"] == "1" and asked["signal"].startswith("TERM@")


def test_the_manifest_for_kubernetes_makes_workers_of_one_cluster():
    job = yaml.safe_load((CLUSTERS / "tfjob.yml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "TFJob")
    ((kind, replica),) = job["spec"]["tfReplicaSpecs"].items()
    pod = replica["template"]["spec"]
    (container,) = pod["containers"]
    config = config_of(container["command"] + container["args"])
    devices = replica["replicas"] * container["resources"]["limits"]["nvidia.com/gpu"]
    assert container["name"] == "tensorflow" and config.data.batch_size % devices == 0
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts.keys() == {volume["name"] for volume in pod["volumes"]}
    paths = config.data.train, config.data.validation, config.training.run_folder
    assert all(path.startswith(mounts["data"]) for path in paths)
    # As the operator writes it: names of services, and of the kind in small letters.
    hosts = [f"{job['metadata']['name']}-worker-{index}.default.svc:2222" for index in range(replica["replicas"])]
    told = {"cluster": {kind.lower(): hosts}, "task": {"type": kind.lower(), "index": 1}, "environment": "cloud"}
    cluster = cluster_from_tf_config({"TF_CONFIG": json.dumps(told)})
    assert cluster.addresses == tuple(hosts) and cluster.index == 1
