"""`test.py` killed at random moments and on full disks."""

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
    until,
    write_images,
    write_untrained_run,
)

pytestmark = pytest.mark.slow

COUNT = 40  # images of a folder to complete


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
    with _completing(command, folder / "out") as process:
        assert process.wait() == 0
    expected = _files(folder / "out")
    assert len(expected) == 2 * COUNT
    return command, expected


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
    with _completing(command, output) as process:
        assert process.wait() == 0
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
    with _completing(command, output) as process:
        assert process.wait() == 0
    assert _files(output) == expected
