"""Completing on a Ray cluster: `test.py --ray`, and `complete` for programs that have a dataset of their own.

Rows of paths go in and rows of outcomes come out; images are read and written by the actors, which load the network
once and follow `predict.run`'s rules. Ray places the actors, starts lost ones again and gives them their rows once
more; what stands by then is not done again. Nothing is shuffled, and neither driver nor object store holds an image.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import logging
import os
import posixpath
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from typing import Iterator

from tf_inpaint import cli
from tf_inpaint.checkpoints import open_checkpoint
from tf_inpaint.cluster import begin_worker, connected, explained, import_ray, places
from tf_inpaint.errors import InputError, one_line
from tf_inpaint.io.atomic import refuse_overwriting, unfinished
from tf_inpaint.predict.jobs import Job, is_remote
from tf_inpaint.predict.run import Outcome, Run

CHUNK = 32  # rows that an actor is given at once
COLUMNS = ("image", "mask", "output", "edges", "problem")  # of `Job`
DONE, THERE, REFUSED = "done", "there", "refused"
_ROWS_OF_A_TABLE = 4096  # of a list, as it goes to Ray
_TOLD = 20  # sentences on the screen; all are in the file of rows


def complete(rows, *, actors=None, chunk=None, **options):
    """The outcomes of a dataset of jobs, lazily, as a dataset.

    Args:
        rows: `ray.data.Dataset` with the columns `image`, `mask`, `output` and, if wanted, `edges`: paths that every
            node sees, or addresses that fsspec reads, such as s3://bucket/x.png. No two outputs may be the same.
        actors: how many complete at a time; by default one a GPU, or one a node where there is none.
        chunk: rows that an actor is given at once (default: 32).
        options: those of `test.py`, as `batch_size=8`.
    Returns:
        `ray.data.Dataset` of the columns `image`, `output`, `state` ("done", "there": its output stood already, or
        "refused"), `sentence` (why, and warnings) and `seconds`, in the order in which they are done.
    Raises:
        InputError: if the checkpoint cannot be opened.
        TypeError: for an option that `test.py` does not have.
    """
    from tf_inpaint.predict.command import default_options

    return _outcomes(rows, default_options(**options), actors, chunk)


def run_on_cluster(args: argparse.Namespace, jobs: list[Job] | None) -> int:
    """What `test.py --ray` does; returns the exit code.

    Args:
        args: the command's options.
        jobs: to do; None where `args.flist` is Parquet, whose rows the driver never holds.
    """
    path = args.rows or os.path.join(args.output or _inputs_folder(args), "rows.csv")
    if not path.endswith((".csv", ".parquet")):
        raise InputError(f"--rows must end in .csv or .parquet, not {path}")
    refuse_overwriting([path], [args.flist])
    ray = import_ray()
    states, told, untold = Counter(), [], 0
    with connected(args.ray):
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what it knows more than the error says is in its log
        try:
            rows = _listed(args) if jobs is None else _as_rows(jobs)
            count = rows.count()
            outcomes = _outcomes(rows, args, args.actors)
            with _writer(path) as write, cli.Progress() as progress:
                progress(0, count)
                for table in outcomes.iter_batches(batch_size=None, batch_format="pyarrow"):
                    write(table)
                    states.update(table["state"].to_pylist())
                    said = [sentence for sentence in table["sentence"].to_pylist() if sentence]
                    untold += len(said[_TOLD - len(told) :])
                    told += said[: _TOLD - len(told)]
                    progress(sum(states.values()), count)
        except ray.exceptions.RayError as error:
            raise explained(error) from None
    for sentence in told:
        print(sentence, file=sys.stderr)
    if untold:
        print(f"and {untold} more such images: {path}", file=sys.stderr)
    if states[THERE]:
        print(f"{states[THERE]} of {count} are there already")
    print(f"{states[DONE]} of {count - states[THERE]} images completed; a row for each: {path}")
    return cli.SOME_FAILED if states[REFUSED] else cli.DONE


class Completer:
    """An actor: a network, loaded with the first image that can be read, and the rule by which `test.py` completes.

    Args:
        args: options of `test.py`.
        folder: from which relative paths count, where it exists.
    """

    def __init__(self, args: argparse.Namespace, folder: str):
        from tf_inpaint.predict.command import run_of

        begin_worker(folder)
        self._args = args
        self._run = run_of(args, open_checkpoint(args.checkpoint_dir, args.weights), skip_existing=True)

    def __call__(self, table):
        """The outcomes of a table of jobs, as a table."""
        import pyarrow as pa

        names = [name for name in COLUMNS if name in table.column_names]
        jobs = [self._checked(_job_of(row)) for row in table.select(names).to_pylist()]
        try:
            with tempfile.TemporaryDirectory(prefix="tf_inpaint") as folder:
                rows = list(_done(self._run, jobs, folder))
        except Exception as error:
            sentence = cli.explain(error)
            if sentence is None:
                raise
            raise InputError(sentence) from None
        return pa.Table.from_pylist(rows, _schema())

    def _checked(self, job):
        """A job that lists have checked together, and other rows nobody."""
        from tf_inpaint.predict.command import check_written

        try:
            check_written([job], self._args)
        except InputError as error:
            return replace(job, problem=str(error))
        return job


def _job_of(row: dict) -> Job:
    """A row as a job, with a problem where nothing stands for its image or output."""
    lacking = [name for name in ("image", "output") if not row.get(name)]
    job = Job(**{**row, **dict.fromkeys(lacking, "")})
    return replace(job, problem=f"a row names no {' and no '.join(lacking)}") if lacking else job


def _done(run: Run, jobs: list[Job], folder: str) -> Iterator[dict]:
    """Does jobs; yields a row of each."""
    copies = [_Copy(job, os.path.join(folder, str(number)), run) for number, job in enumerate(jobs)]
    by_job = {copy.job: copy for copy in copies}
    missing, there = run.missing([copy.job for copy in copies])
    for job in there:
        yield by_job[job].row(THERE)
    for job in missing:
        by_job[job].fetch()
    ready, refused = run.checked(missing)
    for outcome in itertools.chain(refused, run.complete(ready) if ready else ()):
        yield by_job[outcome.job].finish(outcome)


class _Copy:
    """A job on copies in a folder of this machine of those of its files that lie elsewhere.

    Args:
        original: the job as it was asked for.
        folder: not there yet, and made where something lies elsewhere.
        run: that will do it.
    Attributes:
        job: to do instead.
    """

    def __init__(self, original: Job, folder: str, run: Run):
        self._original, self._folder, self._here = original, folder, {}
        paths = {name: getattr(original, name) for name in ("image", "mask", "edges", "output")}
        self.job = replace(original, **{name: self._place(path) for name, path in paths.items()})
        wanted = run.outputs(original)
        self._outputs = dict(zip(wanted, run.outputs(self.job))) if is_remote(original.output) else {}
        if self._outputs and all(map(_is_there, wanted)):
            for path in self._outputs.values():  # what stands there, stands here
                open(path, "wb").close()

    def fetch(self) -> None:
        """Copies the inputs here; what cannot be read is missed, or found damaged, by whoever reads it here."""
        for path, here in self._here.items():
            if path != self._original.output:
                with contextlib.suppress(FileNotFoundError):
                    system, name = _system(path)
                    system.get_file(name, here)

    def finish(self, outcome: Outcome) -> dict:
        """The row of the job, whose results are brought to where they belong."""
        try:
            for path, here in self._outputs.items() if outcome.done else ():
                system, name = _system(path)
                with open(here, "rb") as file:
                    system.pipe_file(name, file.read())  # whole or not at all, as object stores do
        except OSError as error:
            sentence = f"failed: {self._original.output} cannot be written: {one_line(error)}"
            outcome = outcome._replace(done=False, sentences=[*outcome.sentences, sentence])
        return self.row(DONE if outcome.done else REFUSED, "; ".join(outcome.sentences), outcome.seconds)

    def row(self, state: str, sentence: str = "", seconds: float = 0.0) -> dict:
        """The job's row; its sentence speaks of files as they were asked for."""
        for path, here in self._here.items():
            sentence = sentence.replace(here, path)
        job = self._original
        return {"image": job.image, "output": job.output, "state": state, "sentence": sentence, "seconds": seconds}

    def _place(self, path):
        if not path or not is_remote(path):
            return path
        place = os.path.join(self._folder, str(len(self._here)))
        os.makedirs(place, exist_ok=True)
        return self._here.setdefault(path, os.path.join(place, posixpath.basename(path)))


def _system(path):
    """(file system, path in it) of an address."""
    from fsspec.core import url_to_fs

    return url_to_fs(path)


def _is_there(path):
    system, name = _system(path)
    return system.exists(name)


def _outcomes(rows, args, actors, chunk=None):
    open_checkpoint(args.checkpoint_dir, args.weights)  # refused here, not by every actor
    from ray.data import ActorPoolStrategy

    chunk = chunk or CHUNK
    count, resources = places(actors)
    return rows.repartition(target_num_rows_per_block=chunk).map_batches(
        Completer,
        fn_constructor_args=(args, os.getcwd()),
        batch_size=chunk,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(size=count),
        **resources,
    )


def _as_rows(jobs):
    import pyarrow as pa
    import ray

    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    tables = []
    for first in range(0, len(jobs), _ROWS_OF_A_TABLE):
        few = jobs[first : first + _ROWS_OF_A_TABLE]
        tables.append(pa.table({name: [getattr(job, name) for job in few] for name in COLUMNS}, schema))
    return ray.data.from_arrow(tables)


def _listed(args):
    """The rows of a list in Parquet."""
    import ray

    try:
        rows = ray.data.read_parquet(args.flist)
    except (OSError, ValueError) as error:
        raise InputError(f"the list {args.flist} cannot be read: {one_line(error)}") from error
    lacking = [name for name in COLUMNS[:3] if name not in rows.columns()]
    if lacking:
        raise InputError(f"{args.flist} must have the columns image, mask and output; it lacks {', '.join(lacking)}")
    return rows if args.limit is None else rows.limit(args.limit)


def _inputs_folder(args):
    """Where rows go if nobody says so."""
    return os.path.dirname(args.flist) if args.flist else args.image


def _schema():
    import pyarrow as pa

    texts = [(name, pa.string()) for name in ("image", "output", "state", "sentence")]
    return pa.schema([*texts, ("seconds", pa.float64())])


@contextlib.contextmanager
def _writer(path):
    """A function that adds tables to a file of rows, which takes its place at the end."""
    import pyarrow.csv
    import pyarrow.parquet

    os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)
    kind = pyarrow.csv.CSVWriter if path.endswith(".csv") else pyarrow.parquet.ParquetWriter
    with unfinished(path) as temporary, kind(temporary, _schema()) as writer:
        yield lambda table: writer.write_table(table.cast(_schema()))
