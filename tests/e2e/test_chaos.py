"""`train.py` and `test.py` killed at random moments, on full disks, on damaged files, and beside each other."""

import errno
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from runs import (
    ROOT,
    TINY,
    assert_same_bits,
    ends,
    last_checkpoint,
    logged_scalars,
    saved_arrays,
    small_config,
    started,
    train_here,
    until,
    until_saved,
    write_images,
    write_untrained_run,
)

from tf_inpaint.errors import InputError
from tf_inpaint.predict.command import main as complete

pytestmark = pytest.mark.slow

STEPS = 20
COUNT = 40  # images of a folder to complete


def _config(images, run_folder, **training):
    training = {"steps": STEPS, "strategy": "one_device", "deterministic": False, **training}
    training |= {"log_every": 1, "checkpoint_every": 1}
    return small_config("dcgan", {}, images, run_folder, training, {"batch_size": 2})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Run folder of a training that nothing happened to; its images lie beside it."""
    folder = tmp_path_factory.mktemp("whole")
    write_images(folder / "images", 5)
    train_here(_config(folder / "images", folder / "run"))
    return folder / "run"


def _assert_same_run(folder, whole):
    assert_same_bits(saved_arrays(folder), saved_arrays(whole))
    assert logged_scalars(folder) == logged_scalars(whole)


class _Disk:
    """A folder whose disk can be filled: a small one of its own, or else a process that may write no more."""

    def __init__(self, folder):
        self.folder = folder
        self._ballast = folder / "ballast"
        command = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
        self.is_small = shutil.which("mount") and not subprocess.run(command, capture_output=True).returncode

    def fill(self, process):
        if not self.is_small:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, 1))
            return
        with open(self._ballast, "wb", buffering=0) as file, pytest.raises(OSError) as full:
            while True:
                file.write(bytes(4096))
        assert full.value.errno == errno.ENOSPC

    def free(self):
        self._ballast.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path):
    if not hasattr(resource, "prlimit"):
        pytest.skip("needs Linux")
    disk = _Disk(tmp_path)
    yield disk
    if disk.is_small:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def _read_steps(process, count):
    """Read what it says until it has told of so many steps."""
    for line in process.stdout:
        count -= line.startswith("step ")
        if not count:
            return
    pytest.fail(f"it ended: {process.communicate()}")


def test_training_killed_at_random_moments_is_the_same_run(tmp_path, whole):
    draw, folder = random.Random(0), tmp_path / "run"
    config = _config(whole.parent / "images", folder)
    for _ in range(3):
        with started(config) as (process,):
            _read_steps(process, draw.randint(1, 4))
            time.sleep(draw.uniform(0, 0.05))  # a step and its checkpoint take about as long
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
    train_here(config)
    _assert_same_run(folder, whole)
    checkpoints = ({path.name for path in (run / "checkpoints").iterdir()} for run in (folder, whole))
    assert next(checkpoints) == next(checkpoints)  # no remains of unfinished ones


def test_a_truncated_checkpoint_and_an_emptied_state_file_cost_a_step(tmp_path, whole):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    with open(last_checkpoint(folder) + ".data-00000-of-00001", "r+b") as file:
        file.truncate(1000)
    (folder / "checkpoints" / "checkpoint").write_text("")
    output = "\n".join(train_here(_config(whole.parent / "images", folder)))
    assert f"warning: checkpoint step-{STEPS:08d} is damaged" in output
    assert f"going on after step {STEPS - 1}" in output
    assert len(list((folder / "checkpoints" / "broken").iterdir())) == 2
    _assert_same_run(folder, whole)


def test_training_on_a_full_disk_ends_in_a_sentence_and_goes_on(disk, whole):
    folder = disk.folder / "run"
    config = _config(whole.parent / "images", folder)
    with started(config) as (process,):
        _read_steps(process, 3)
        disk.fill(process)
        ((_, said),) = ends([process], code=2)
    assert said.startswith("error: cannot write ") and said.count("\n") == 1
    assert f"the last whole checkpoint is {last_checkpoint(folder)}" in said
    disk.free()
    train_here(config)
    _assert_same_run(folder, whole)


def test_the_second_training_in_a_folder_hears_of_the_first(tmp_path, whole):
    config = _config(whole.parent / "images", tmp_path / "run", steps=10**6)
    with started(config) as (first,):
        until_saved(tmp_path / "run", first)
        first.stdout.close()  # whose pipe would be full after a while; the work goes on without
        holder = f"{tmp_path / 'run'} is being trained in by process {first.pid} of "
        with pytest.raises(InputError, match=holder) as said:
            train_here(config)
        assert "\n" not in str(said.value)
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == 0
    steps = [line["step"] for line in logged_scalars(tmp_path / "run")]
    assert steps == list(range(1, len(steps) + 1))


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """(command without --output, name -> bytes of what it writes when nothing happens to it)."""
    folder = tmp_path_factory.mktemp("job")
    write_untrained_run(folder / "run", TINY)
    write_images(folder / "images", COUNT)
    mask = np.zeros((70, 80), np.uint8)
    mask[20:40, 30:60] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    command = [sys.executable, ROOT / "test.py", "--image", folder / "images", "--mask", folder / "mask.png"]
    command += ["--checkpoint_dir", folder / "run", "--save_coarse", "--skip_existing"]
    assert _complete_here(command, folder / "out") == 0
    expected = _files(folder / "out")
    assert len(expected) == 2 * COUNT
    return command, expected


def _complete_here(command, output):
    """The exit code of the job in this process."""
    return complete([*map(str, command[2:]), "--output", str(output)])


def _completing(command, output):
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen([*map(str, command), "--output", str(output)], text=True, **pipes)


def _files(folder):
    """name -> bytes of what is written, without files that a kill has left half-written under hidden names."""
    paths = [path for path in folder.glob("*") if not (path.name.startswith(".") and path.name.endswith(".part"))]
    return {path.name: path.read_bytes() for path in paths}


def test_completing_killed_at_random_moments_leaves_whole_files_and_goes_on(tmp_path, job):
    draw, (command, expected), output = random.Random(0), job, tmp_path / "out"
    for _ in range(3):
        before = len(_files(output))
        with _completing(command, output) as process:
            until(lambda: len(_files(output)) > before, "a file", process)  # noqa: B023
            time.sleep(draw.uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
        assert _files(output).items() <= expected.items()
    times = {path.name: path.stat().st_mtime_ns for path in output.glob("[!.]*")}
    done = {name for name in times if name.replace(".png", "_coarse.png") in times}
    assert done and len(times) < len(expected)
    assert _complete_here(command, output) == 0
    assert _files(output) == expected
    assert all((output / name).stat().st_mtime_ns == times[name] for name in done)


def test_completing_on_a_full_disk_names_what_failed_and_goes_on(disk, job):
    (command, expected), output = job, disk.folder / "out"
    with _completing(command, output) as process:
        until(lambda: len(_files(output)) > 2, "files", process)
        disk.fill(process)
        said = process.communicate()[1].splitlines()
    written = _files(output)
    assert process.returncode == 1 and written.items() <= expected.items()
    assert not list(output.glob(".*"))
    assert said and all(line.startswith(f"failed: {output}") and "cannot be written: " in line for line in said)
    assert len(said) == COUNT - sum(name.replace("_coarse", "") != name for name in written)
    disk.free()
    assert _complete_here(command, output) == 0
    assert _files(output) == expected
