"""A run of test.py: jobs read, completed in batches and written.

Of many jobs, those that fail are named in a sentence each and the rest are written.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Iterator, NamedTuple

import numpy as np

from tf_inpaint import cli
from tf_inpaint.checkpoints import WITH_ATTENTION
from tf_inpaint.errors import InputError
from tf_inpaint.io.atomic import remove_unfinished
from tf_inpaint.io.grid import image_grid
from tf_inpaint.io.images import restore, write_image
from tf_inpaint.predict.batches import grouped
from tf_inpaint.predict.jobs import Job, check_inputs
from tf_inpaint.predict.tasks import Reading, Task, read_task

LARGE_IMAGE = 1 << 21  # pixels from which memory is told beforehand
_GREY = 128  # of holes on sheets
_ABANDONED = 3600  # seconds: no image takes so long to be written, so that other processes may write there, too
_LOOK_AHEAD = 4  # batches' worth of images that may be held to be completed together


class Outcome(NamedTuple):
    """What became of a job: whether it was done, what is said of it, and how long its reading, completing and writing
    took, a batch's time being that of all its images alike."""

    job: Job
    done: bool
    sentences: list[str]
    seconds: float = 0.0


@dataclass
class Run:
    """What is done with every job, and what there is to say about it.

    Args:
        load: function that loads the `Inpainter`, called once there is something to complete.
        others: options of the command `test.py`.
    """

    load: Callable[[], Any]
    batch_size: int = 1
    reading: Reading = Reading()
    quality: int | None = None
    skip_existing: bool = False
    save_coarse: bool = False
    save_attention: bool = False
    samples: int = 0
    verbose: bool = False
    _inpainter: Any = field(init=False, default=None)
    _batches: int = field(init=False, default=0)
    _swept: set[str] = field(init=False, default_factory=set)  # folders without what killed processes left

    def one(self, job: Job) -> int:
        """Completes a job; returns the exit code.

        Raises:
            InputError: if it cannot be done.
        """
        if self._is_done(job):
            print(f"{job.output} is there already")
            return cli.DONE
        task = read_task(job, self.reading)
        for warning in task.warnings:
            cli.warn(warning)
        self._load_model()
        self._write(task, self._outputs([task])[0])
        print(*self.outputs(job), sep="\n")
        if self.verbose:
            print(f"graphs built: {self._inpainter.graphs}")
        return cli.DONE

    def many(self, jobs: list[Job]) -> int:
        """Completes what can be completed; sentences come after the progress bar, which they would tear."""
        missing, there = self.missing(jobs)
        if there:
            print(f"{len(there)} of {len(jobs)} are there already")
            jobs = missing
            if not jobs:
                return cli.DONE
        ready, outcomes = self.checked(jobs)
        try:
            if ready:
                self._complete(ready, outcomes)
        finally:
            sentences = {outcome.job: outcome.sentences for outcome in outcomes}
            for job in jobs:
                for sentence in sentences.get(job, ()):
                    print(sentence, file=sys.stderr)
        done = sum(outcome.done for outcome in outcomes)
        print(f"{done} of {len(jobs)} images completed")
        return cli.DONE if done == len(jobs) else cli.SOME_FAILED

    def missing(self, jobs: list[Job]) -> tuple[list[Job], list[Job]]:
        """Jobs to do, and those whose files are there already, where these are skipped."""
        missing, there = [], []
        for job in jobs:
            (there if self._is_done(job) else missing).append(job)
        return missing, there

    def checked(self, jobs: list[Job]) -> tuple[list[Job], list[Outcome]]:
        """Jobs whose inputs look sound, which takes no network, and the outcomes of the others."""
        for folder in {os.path.dirname(job.output) or os.curdir for job in jobs} - self._swept:
            remove_unfinished(folder, _ABANDONED)
            self._swept.add(folder)
        ready, refused = [], []
        for job in jobs:
            try:
                check_inputs(job)
                ready.append(job)
            except InputError as error:
                refused.append(_refused(job, error))
        return ready, refused

    def complete(self, jobs: list[Job]) -> Iterator[Outcome]:
        """The outcomes of jobs that were checked, as they come, in the order in which batches are full."""
        self._load_model()
        refused: list[Outcome] = []

        def size(task):
            return self._inpainter.joint_size(task.mask) if self.batch_size > 1 else None

        def most(size):
            return self._inpainter.most_at_once(*size, self.batch_size)

        for batch in grouped(self._tasks(jobs, refused), size, most, _LOOK_AHEAD * self.batch_size):
            yield from _taken(refused)
            yield from self._complete_batch(batch)
            self._batches += 1
        yield from _taken(refused)

    def _complete(self, jobs, outcomes):
        """Adds the outcomes of jobs, with a progress bar."""
        self._load_model()
        bar = cli.import_tensorflow().keras.utils.Progbar(len(jobs), unit_name="image")
        start, done = time.perf_counter(), 0
        for outcome in self.complete(jobs):
            outcomes.append(outcome)
            done += outcome.done
            bar.add(1)
        if self.verbose:
            seconds = time.perf_counter() - start
            print(f"{done} images in {self._batches} batches, {seconds:.1f} s with reading and writing")
            print(f"graphs built: {self._inpainter.graphs}")

    def _load_model(self):
        """At the first call."""
        if self._inpainter is not None:
            return
        inpainter = self.load()
        for wanted, name in ((self.save_coarse, "coarse"), (self.save_attention, "attention")):
            if wanted and name not in inpainter.engine.images:
                raise InputError(
                    f"this model has no {name} image: leave out --save_{name}, or take the weights {WITH_ATTENTION}"
                )
        if self.samples and not inpainter.draws:
            raise InputError("this model draws nothing at random: leave out --samples")
        self._inpainter = inpainter

    def _tasks(self, jobs, refused):
        """The jobs that can be read, one after the other; the outcomes of the others go to `refused`."""
        for job in jobs:
            start = time.perf_counter()
            try:
                yield replace(read_task(job, self.reading), seconds=time.perf_counter() - start)
            except InputError as error:
                refused.append(_refused(job, error))

    def _complete_batch(self, batch: list[Task]) -> Iterator[Outcome]:
        start = time.perf_counter()
        try:
            outputs = self._outputs(batch)
        except InputError as error:
            if len(batch) > 1:  # what is too much together, or refused for one of them
                for task in batch:
                    yield from self._complete_batch([task])
            else:
                yield _refused(batch[0].job, error, batch[0].warnings)
            return
        seconds = (time.perf_counter() - start) / len(batch)
        if self.verbose:
            height, width = batch[0].mask.shape
            average = f", {seconds:.2f} s an image" if len(batch) > 1 else ""
            print(f"\n{len(batch)} of {width} x {height}: {seconds * len(batch):.2f} s{average}", flush=True)
        for task, of_task in zip(batch, outputs):
            start = time.perf_counter()
            try:
                self._write(task, of_task)
            except InputError as error:
                yield _refused(task.job, error, task.warnings)
                continue
            seconds_in_all = task.seconds + seconds + time.perf_counter() - start
            yield Outcome(task.job, True, _warned(task.warnings), seconds_in_all)

    def _outputs(self, batch: list[Task]) -> list[dict]:
        """What the network says about images that go together."""
        all_outputs = self.save_coarse or self.save_attention
        for task in batch:
            self._check(task, all_outputs)
        inputs = [(task.seen, task.mask, task.edges) for task in batch]
        try:
            if len(batch) == 1:
                return [self._inpainter.outputs(*inputs[0], all_outputs=all_outputs)]
            return self._inpainter.outputs_together(inputs, all_outputs)
        except InputError as error:
            raise InputError(f"{batch[0].job.image}: {error}") from error

    def _check(self, task, all_outputs):
        """Refuses edges that nobody follows, and tells of large images."""
        job, (height, width) = task.job, task.mask.shape
        if task.edges is not None and not self._inpainter.takes_edges:
            raise InputError(f"{job.image}: this model follows no edges: leave out {job.edges}, or take a guided model")
        if height * width >= LARGE_IMAGE and self._inpainter.strategy_for(task.mask) == "exact":
            needed = self._inpainter.memory(height, width, mask=None if all_outputs else task.mask)
            if needed is not None:
                print(f"{job.image}: {width} x {height} pixels, about {needed / 2**30:.1f} GiB of memory", flush=True)

    def _write(self, task, outputs):
        job, image, mask = task.job, task.image, task.mask
        files = {job.output: restore(image, outputs["completed"], mask)}
        for wanted, name, path in (
            (self.save_coarse, "coarse", job.coarse_output),
            (self.save_attention, "attention", job.attention_output),
        ):
            if wanted:
                files[path] = outputs[name] if name == "attention" else restore(image, outputs[name], mask)
        if self.samples:
            drawn = self._inpainter.samples(task.seen, mask, self.samples)
            given = np.where(mask[..., np.newaxis], np.uint8(_GREY), task.seen)
            files[job.samples_output] = image_grid([[given, *drawn]])
        for path, array in files.items():
            write_image(path, array, image.metadata, self.quality, image.white)

    def outputs(self, job: Job) -> list[str]:
        """All files that are written for a job."""
        return job.outputs(self.save_coarse, self.save_attention, self.samples)

    def _is_done(self, job):
        return self.skip_existing and not job.problem and all(map(os.path.isfile, self.outputs(job)))


def _refused(job, error, warnings=()):
    return Outcome(job, False, [*_warned(warnings), f"failed: {error}"])


def _warned(warnings):
    return [f"warning: {warning}" for warning in warnings]


def _taken(outcomes):
    """All of a list, which is empty afterwards."""
    taken = list(outcomes)
    outcomes.clear()
    return taken
