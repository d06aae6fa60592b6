"""Completing on a Ray cluster of three nodes in this machine against `test.py` in one process.

    PYTHONPATH=. python benchmarks/ray_cluster.py --count 3000 --losses    # an actor and a node are killed on the way
    PYTHONPATH=. python benchmarks/ray_cluster.py --rows 1000000           # rows without images: what the driver holds

Small images of mixed sizes, one of a hundred broken. Ratios are of processor time, as other work may share the cores; a
process's time is that at the last look at it, every half second.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np

from tf_inpaint.io.images import write_png
from tf_inpaint.predict import ray as completing
from tf_inpaint.predict.command import main as complete

ROOT = Path(__file__).resolve().parents[1]
TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


def write_images(folder, count):
    """Smooth noise of 48 to 96 pixels a side with a square hole; names of the broken ones, one of a hundred."""
    generator, broken = np.random.default_rng(0), set()
    for index in range(count):
        height, width = generator.integers(48, 97, 2)
        image = np.kron(generator.integers(0, 256, (12, 12, 3)), np.ones((8, 8, 1)))[:height, :width]
        mask = np.zeros((height, width), bool)
        mask[12:32, 12:32] = True
        name = f"{index:07}.png"
        write_png(folder / "images" / name, image.astype(np.uint8))
        write_png(folder / "masks" / name, mask)
        if index % 100 == 50:
            (folder / "images" / name).write_bytes((folder / "images" / name).read_bytes()[:60])
            broken.add(name)
    return broken


def command(folder, output, checkpoint, *more):
    paths = ("--image", folder / "images", "--mask", folder / "masks", "--output", folder / output)
    options = ("--checkpoint_dir", checkpoint, "--texture", "none", "--residuals", "0")
    return [str(word) for word in (*paths, *options, *more)]


class Watch(threading.Thread):
    """Looks at this process and all that come from it: seconds of processor time, and memory of actors over time."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seconds, self.memory, self._ended = {}, [], threading.Event()
        self.look()
        self._before = dict(self.seconds)

    def look(self):
        parents, names, memory = {}, {}, {}
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, IndexError):
                fields = (path / "stat").read_text().rpartition(")")[2].split()
                pid = int(path.name)
                parents[pid], names[pid] = int(fields[1]), (path / "cmdline").read_bytes()
                memory[pid] = int(fields[21]) * PAGE / 2**20, (int(fields[11]) + int(fields[12])) / TICKS
        self.actors = []
        for pid in parents:
            above = pid
            while above not in (0, os.getpid()):
                above = parents.get(above, 0)
            if above:
                self.seconds[pid] = memory[pid][1]
                if b"MapWorker" in names[pid]:
                    self.actors.append(pid)
        self.memory.append((memory[os.getpid()][0], [memory[pid][0] for pid in self.actors]))

    def run(self):
        while not self._ended.wait(0.5):
            self.look()

    def stop(self):
        """Seconds of processor time since the beginning."""
        self._ended.set()
        self.join()
        return sum(value - self._before.get(pid, 0.0) for pid, value in self.seconds.items())

    def told_memory(self):
        """MiB of this process and of the largest actor at a quarter, half, three quarters and the end."""
        places = [len(self.memory) * quarter // 4 - 1 for quarter in (1, 2, 3, 4)]
        largest = [max(self.memory[place][1], default=0) for place in places]
        print(f"MiB at quarters: driver {[round(self.memory[place][0]) for place in places]}, ", end="")
        print(f"largest actor {[round(value) for value in largest]}")


@contextlib.contextmanager
def three_nodes(folder):
    """A cluster of a head without actors, and three nodes that may die; gives the nodes."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "resources": {"head": 1}, "object_store_memory": 200 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={**head, "temp_dir": str(folder)})
    try:
        yield cluster, [cluster.add_node(num_cpus=1, object_store_memory=100 << 20) for _ in range(3)]
    finally:
        cluster.shutdown()


def kill_on_the_way(output, count, watch, cluster, node, killed):
    """Kills an actor at a third, a node at two thirds."""
    for share, kill in (
        (1 / 3, lambda: os.kill(watch.actors[0], signal.SIGKILL)),
        (2 / 3, lambda: cluster.remove_node(node, allow_graceful=False)),
    ):
        while len(list(output.glob("*.png"))) < share * count:
            time.sleep(0.2)
        kill()
        killed.append(len(list(output.glob("*.png"))))


def compare(count, folder, checkpoint, losses):
    """One process, and the cluster, maybe with losses."""
    import csv

    import ray

    broken = write_images(folder, count)
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, ROOT / "test.py", *command(folder, "one", checkpoint)], capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    one = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"one process: {one:.0f} s of processors, {time.monotonic() - start:.0f} s by the clock", flush=True)
    expected = {path.name: path.read_bytes() for path in (folder / "one").glob("*.png")}
    (folder / "ray").mkdir()
    with three_nodes(folder / "r") as (cluster, nodes):
        ray.init(cluster.address, log_to_driver=False, logging_level="error")
        watch, killed, start = Watch(), [], time.monotonic()
        watch.start()
        if losses:
            arguments = folder / "ray", count, watch, cluster, nodes[0], killed
            threading.Thread(target=kill_on_the_way, args=arguments, daemon=True).start()
        complete(command(folder, "ray", checkpoint, "--ray", "--actors", "3"))
        clock, seconds = time.monotonic() - start, watch.stop()
        ray.shutdown()
    with open(folder / "ray" / "rows.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    named = {os.path.basename(row["image"]) for row in rows if row["state"] == "refused"}
    found = {path.name: path.read_bytes() for path in (folder / "ray").glob("*.png")}
    states = dict(Counter(row["state"] for row in rows))
    print(f"cluster: {seconds:.0f} s of processors, {seconds / one:.2f} of one process; {clock:.0f} s by the clock")
    print(f"completing alone: {sum(float(row['seconds']) for row in rows):.0f} s by the clocks of actors")
    print(f"killed after {killed} images; {states}; one row each: {len({row['image'] for row in rows}) == count}")
    print(f"rows: {len(rows)}; broken ones named: {named == broken}; the bytes of one process: {found == expected}")
    watch.told_memory()


def many_rows(count, folder):
    """Rows of images that do not exist, through the whole of it."""
    import pyarrow as pa
    import pyarrow.parquet

    for first in range(0, count, 100_000):
        names = [f"/nowhere/{index:09}" for index in range(first, min(first + 100_000, count))]
        endings = {"image": ".jpg", "mask": "_mask.png", "output": ".png"}
        table = pa.table({key: [f"{name}{ending}" for name in names] for key, ending in endings.items()})
        (folder / "list.parquet").mkdir(exist_ok=True)
        pyarrow.parquet.write_table(table, folder / "list.parquet" / f"{first:09}.parquet")
    watch, start = Watch(), time.monotonic()
    watch.start()
    outcomes = str(folder / "rows.parquet")
    complete(["--flist", str(folder / "list.parquet"), "--ray", "--actors", "2", "--rows", outcomes])
    clock, seconds = time.monotonic() - start, watch.stop()
    rows = pyarrow.parquet.read_metadata(folder / "rows.parquet").num_rows
    print(f"{rows} rows: {seconds:.0f} s of processors, {clock:.0f} s by the clock")
    watch.told_memory()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, help="of images")
    parser.add_argument("--losses", action="store_true", help="kill an actor and a node on the way")
    parser.add_argument("--checkpoint_dir", default="photos", help="that completes (default: photos)")
    parser.add_argument("--rows", type=int, help="of rows without images")
    parser.add_argument("--chunk", type=int, default=completing.CHUNK, help="rows that an actor is given at once")
    options = parser.parse_args()
    completing.CHUNK = options.chunk
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="disabled", TF_CPP_MIN_LOG_LEVEL="3")
    with tempfile.TemporaryDirectory(prefix="r") as place:
        if options.count:
            compare(options.count, Path(place), options.checkpoint_dir, options.losses)
        if options.rows:
            many_rows(options.rows, Path(place))
