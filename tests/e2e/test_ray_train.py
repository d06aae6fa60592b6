"""`clusters/ray_train.py`: two workers of Ray Train, of which one is killed. By hand, for it takes minutes:

TF_INPAINT_CLUSTERS=1 python -m pytest tests/e2e/test_ray_train.py
"""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from runs import ROOT, assert_same_bits, last_checkpoint, saved_arrays, small_config, until_saved, write_images

pytest.importorskip("ray.train", reason="training on Ray needs Ray: pip install '.[ray]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("TF_INPAINT_CLUSTERS" not in os.environ, reason="takes minutes: set TF_INPAINT_CLUSTERS=1"),
]
STEPS = 40


@contextlib.contextmanager
def started(folder, name):
    """The process of a run, in which Ray and the workers are."""
    training = {"steps": STEPS, "log_every": 2, "checkpoint_every": 4}
    config = small_config("deepfill_v1", {"pretrain_coarse": True}, folder / "images", folder / name, training)
    (folder / f"{name}.yml").write_text(yaml.safe_dump(config))
    command = [sys.executable, ROOT / "clusters" / "ray_train.py", "--workers", "2", "--storage", folder / "storage"]
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen([*command, "--", "--config", folder / f"{name}.yml"], env=environment, **pipes)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def workers_of(process):
    """Ids of the processes in which Ray Train's workers are."""
    parents, found = {}, []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if b"RayTrainWorker" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return sorted(worker for worker in found if parents.get(parents[worker]) == process.pid)


def test_a_killed_worker_is_started_again_and_the_end_is_the_same_to_the_bit(tmp_path):
    write_images(tmp_path / "images", 7)
    for name in ("undisturbed", "killed"):
        with started(tmp_path, name) as process:
            if name == "killed":
                until_saved(tmp_path / name, process)
                os.kill(workers_of(process)[-1], signal.SIGKILL)
                assert not last_checkpoint(tmp_path / name).endswith(str(STEPS))
            said, _ = process.communicate()
            assert process.returncode == 0, said
    assert_same_bits(saved_arrays(tmp_path / "killed"), saved_arrays(tmp_path / "undisturbed"))
    assert "going on after step" in (tmp_path / "killed" / "train.log").read_text()
