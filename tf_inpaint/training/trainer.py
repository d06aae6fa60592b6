"""The one training loop: images in, files and lines of progress out. It knows no loss."""

from __future__ import annotations

import contextlib
import dataclasses
import time

import numpy as np
import tensorflow as tf

from tf_inpaint import metrics
from tf_inpaint.checkpoints import open_checkpoint
from tf_inpaint.checkpoints.load import load_weights
from tf_inpaint.checkpoints.training_state import read_training_state
from tf_inpaint.config import flat_config, to_yaml
from tf_inpaint.config.checks import check
from tf_inpaint.data.dataset import ImageData
from tf_inpaint.data.reader import explained_errors
from tf_inpaint.errors import InputError
from tf_inpaint.io.grid import titled_grid
from tf_inpaint.models.weights import parameter_count
from tf_inpaint.training.guard import Guard
from tf_inpaint.training.learner import Learner
from tf_inpaint.training.lock import locked
from tf_inpaint.training.machine import device_names, peak_memory, versions
from tf_inpaint.training.run_folder import RunFolder
from tf_inpaint.training.sources import fingerprints
from tf_inpaint.training.stop_signals import StopSignals
from tf_inpaint.training.stopwatch import Stopwatch, duration
from tf_inpaint.training.strategy import make_strategy
from tf_inpaint.training.views import view_rows
from tf_inpaint.training.workers import Workers

_LONGEST_HOLD = 100  # steps whose loss values wait on their device before they are looked at
_METRICS = {
    "hole_l1": lambda completed, batch: metrics.hole_l1(completed, batch["image"], batch["mask"]),
    "psnr": lambda completed, batch: metrics.psnr(completed, batch["image"]),
}
_SHOWN = ("generator_loss", "discriminator_loss", *_METRICS)  # on a line of progress


def say(line):
    """Print a line at once, also where output goes into a file or a pipe."""
    print(line, flush=True)


class Trainer:
    """Trains what a config describes, in its run folder, from wherever that folder stands.

    It sets TensorFlow's seeds and, for `training.deterministic`, its deterministic operations for the whole process.
    Where several workers train together, the chief alone reports and writes; every worker makes the same calls.

    Args:
        config: a whole `Config`.
        report: called with every line of progress.
        notes: lines to report before anything else.

    Attributes:
        data: the images.
        learner: networks and optimizers.
        folder: the run folder.
    Raises:
        InputError: if the folder holds another run, there are no images, a batch cannot be shared out evenly, or
            workers cannot be joined, differ in what they are to train, or are lost.
    """

    def __init__(self, config, report=say, notes=()):
        training = config.training
        self.config = config
        self.folder = RunFolder(training.run_folder or f"runs/{config.name}", training.keep_checkpoints)
        self.folder.check(config)
        strategy = make_strategy(training.strategy)  # before TensorFlow computes anything: workers need that
        self._workers = Workers(strategy)
        self._print = report
        for line in notes:
            self.report(line)
        with self._workers.said_by_chief():
            self.data = ImageData(config.data, config.mask, training.seed)
        self._microbatch_size = _microbatch_size(config, strategy.num_replicas_in_sync)
        with self._explained_loss():
            self._workers.check_same({"config": to_yaml(config), "number of images": str(self.data.count)})
            self.learner = Learner(config, strategy, self.data.count)
        if training.epochs:
            training = dataclasses.replace(training, steps=self.learner.steps)
            self.config = config = dataclasses.replace(config, training=training)
            check(dataclasses.replace(config, training=dataclasses.replace(training, epochs=0)))  # by these steps
        self._checkpoint = tf.train.Checkpoint(**self.learner.variables())
        self._guard = Guard()
        self._rates = {}
        self._images_per_step = self.learner.batches_per_step * config.data.batch_size
        # After how many steps things are written; 0 never writes them.
        every = {"scalars": training.log_every, "validation": training.validate_every}
        every |= {"checkpoint": training.checkpoint_every, "views": training.view_every}
        self._intervals = {what: interval for what, interval in every.items() if interval}

    def report(self, line):
        """Say a line of progress, and keep it in the run folder's log; on the chief alone."""
        if self._workers.is_chief:
            self._print(line)
            self.folder.note(line)

    def train(self):
        """Go on to `training.steps`, or to the end of the step in which SIGINT or SIGTERM arrives, and save.

        Raises:
            InputError: if a loss is no longer a finite number, images cannot be read, files cannot be written, or
                another worker is lost. The last whole checkpoint stays.
        """
        lock = locked(self.folder.path) if self._workers.is_chief else contextlib.nullcontext()
        with lock, StopSignals() as stop:
            try:
                with self._explained_loss():
                    self._begin()
                    if self.learner.step < self.config.training.steps:
                        self._run(stop)
                    self._workers.wait()  # for the chief, who writes
            except InputError as error:
                with contextlib.suppress(InputError):  # of a full disk
                    self.folder.note(f"error: {error}")
                raise
            finally:
                self.folder.close()
        finished = self.learner.step >= self.config.training.steps
        by = stop.received or "a signal to another worker"
        end = "done" if finished else f"stopped by {by}, and the same command goes on"
        self.report(f"{end}: {self.learner.step} steps, last checkpoint {self.folder.last_checkpoint()}")
        self._report_broken_files()

    def dry_run(self):
        """Make every update once, time it, and report what training would be like; writes nothing."""
        self._describe()
        if self._workers.is_chief:
            for line in self.folder.look():
                self.report(line)
        with self._explained_loss():
            self._load()
            steps = max(self.config.training.steps - self.learner.step, 0)
            self.report("building the graphs of one step ...")
            batches = self._batches()
            self._take_steps(batches)  # builds the graphs
            self._look()
            begin = time.perf_counter()
            count = self._take_steps(batches)
            self._look()
            seconds = (time.perf_counter() - begin) / count
        for name, mean in self._guard.take_means().items():
            self.report(f"  {name:<30}{mean:12.6g}")
        self.report(f"time           {seconds:.3g} s a step, {self._images_per_step / seconds:.3g} images/s")
        self.report(f"               {steps} steps take about {duration(seconds * steps)}")
        self.report(f"memory         {peak_memory()}")
        self._report_broken_files()

    # The run

    def _begin(self):
        self._describe()
        if self._workers.is_chief:
            record = {**versions(self.learner.strategy), "sources": fingerprints(flat_config(self.config))}
            for line in self.folder.start(self.config, record):
                self.report(line)
        resumed = self._load()
        begin = f"going on after step {self.learner.step}" if resumed else "new run"
        self.report(f"{begin} in {self.folder.path}")
        if self._workers.is_chief and not resumed and self.config.training.view_every:
            self._write_views()

    def _load(self):
        """Begin where the run folder stands, or with initial weights; whether it was the former, on the chief."""
        resumed = False
        if self._workers.is_chief:
            resumed = self.folder.restore(self._checkpoint)
            if not resumed:
                self._load_initial_weights()
        self._workers.take_over_from_chief(self.learner.variables())
        return resumed

    def _load_initial_weights(self):
        training, recipe = self.config.training, self.learner.recipe
        if not training.init_from:
            return
        checkpoint, goes_on = open_checkpoint(training.init_from, exported=False), training.init_optimizer
        self.report(str(load_weights(checkpoint, recipe.generator, recipe.discriminator, averaged=not goes_on)))
        if goes_on:
            optimizer = self.config.optimizer
            state = read_training_state(checkpoint, optimizer.beta2, recipe.n_critic, optimizer.algorithm)
            if state.step >= training.steps:
                raise InputError(
                    f"{checkpoint.path} is at step {state.step} already, and training.steps are {training.steps}: give "
                    "more, or leave out training.init_optimizer to begin anew with its weights"
                )
            lacking = self.learner.take_over(state)
            self.report(
                f"going on after their step {state.step} with the moments of {len(state.moments)} weights"
                + (f"; {len(lacking)} begin at 0" if lacking else "")
            )
        self.learner.forget_average()

    def _run(self, stop):
        self.report("building the graphs of both networks: the first step takes longer than the others ...")
        batches = self._batches()
        stopwatch = Stopwatch()
        ends = False
        while not ends:
            stopwatch.count_step(self._take_steps(batches))
            finished, stopped = self.learner.step >= self.config.training.steps, self._workers.any(stop.received)
            ends = finished or stopped
            due = self._due(finished, stopped)
            held_long = len(self._guard) >= _LONGEST_HOLD * (self.learner.recipe.n_critic + 1)
            if due or held_long or not stopwatch.running:
                self._look()
                stopwatch.stop()  # writing files does not count as training, nor does building graphs in the first step
                self._write(due, stopwatch, ends)
                stopwatch.start()

    def _due(self, finished, stopped):
        """What has to be written after this step: a set of "scalars", "validation", "checkpoint", "views"."""
        step = self.learner.step
        due = {what for what, interval in self._intervals.items() if finished or step % interval == 0}
        if stopped:  # nothing that takes long
            due |= {"scalars", "checkpoint"}
        return due

    def _write(self, due, stopwatch, ends):
        if not self._workers.is_chief:
            return
        # Scalars before the checkpoint: going on from a checkpoint finds every line up to it, and drops those after it.
        if due & {"scalars", "validation"}:
            values = {**self._guard.take_means(), **self._rates}
            steps_per_second = stopwatch.take_rate()
            if steps_per_second:
                values["images_per_second"] = steps_per_second * self._images_per_step
            if "validation" in due:
                values.update(self._validate())
            self.folder.log(self.learner.step, values)
            self.report(self._progress(values, steps_per_second))
        if "checkpoint" in due:
            self.folder.save(self._checkpoint, self.learner.step)
            self.folder.write_loss_graph(ends)
        if "views" in due:
            self._write_views()

    def _explained_loss(self):
        return self._workers.explained_loss(self.folder.last_checkpoint)

    def _take_steps(self, batches):
        """A step, or as many as a call makes and nothing has to be written between; returns how many."""
        first, count = self.learner.step + 1, self._steps_until_due()
        try:
            with explained_errors(self.data):
                values, self._rates = self.learner.take_steps(batches, count)
        except tf.errors.OpError as error:
            said = str(error).lower()
            if self.config.training.xla and ("xla" in said or "compil" in said):
                raise InputError("an operation of this recipe cannot be compiled: set training.xla: false") from error
            if not isinstance(error, tf.errors.UnimplementedError) or "determinis" not in said:
                raise
            raise InputError(
                "an operation of this recipe has no deterministic form here: set training.deterministic: false"
            ) from error
        self._guard.hold(first, values, count)
        return count

    def _steps_until_due(self):
        """Steps to make in the next call: `steps_per_call`, or fewer up to what is to be written next."""
        training, step = self.config.training, self.learner.step
        ends = [interval - step % interval for interval in self._intervals.values()]
        return min(training.steps_per_call, max(training.steps - step, 1), self.learner.steps_alike, *ends)

    def _look(self):
        """Wait for the device, and stop if a value is not finite: a checkpoint is written only after this."""
        finding = self._guard.look()
        if finding is None:
            return
        last = self.folder.last_checkpoint()
        kept = f"the last good checkpoint is {last}" if last else "there is no checkpoint yet"
        begin = f", begun with {self.folder.handed_on()}," if last else ""
        raise InputError(
            f"{finding} and training stopped; {kept}; the same command would end here again, so try a new "
            f"training.run_folder{begin} with a lower optimizer.learning_rate or with optimizer.clip_norm"
        )

    # Images

    def _batches(self):
        """Iterator over what the replicas take for each update, from the next step on."""
        replicas = self.learner.strategy.num_replicas_in_sync

        def pipeline(context):
            return self.data.dataset(
                self.learner.step * self.learner.batches_per_step,
                self.config.data.batch_size,
                input_pipeline_id=context.input_pipeline_id,
                num_input_pipelines=context.num_input_pipelines,
                replicas_per_pipeline=replicas // context.num_input_pipelines,
            )

        batches = iter(self.learner.strategy.distribute_datasets_from_function(pipeline))
        if self.config.training.deterministic:
            # Not earlier: an iterator made under it reads one file after another, though the data are the same.
            tf.config.experimental.enable_op_determinism()
        return batches

    def _write_views(self):
        rows = self._of_validation_images(self.config.training.view_count, view_rows)
        self.folder.write_views(self.learner.step, titled_grid(rows))

    def _validate(self):
        """Mean of each metric over the validation images."""

        def measure(batch, outputs):
            found = {name: metric(outputs["completed"], batch).numpy() for name, metric in _METRICS.items()}
            return {**found, **{name: of_each.numpy() for name, of_each in self.learner.measure(batch).items()}}

        values = self._of_validation_images(self.config.training.validation_count, measure)
        return {name: float(np.mean(array)) for name, array in values.items()}

    def _of_validation_images(self, count, function):
        """The dict of arrays function(batch, outputs) of all, in batches no larger than those of training itself."""
        with explained_errors(self.data), self.learner.averaged_weights():
            batches = self.data.validation(count, self._microbatch_size)
            found = [function(batch, self.learner.complete(batch)) for batch in batches]
        return {name: np.concatenate([arrays[name] for arrays in found]) for name in found[0]}

    # Reports

    def _describe(self):
        """What is about to be trained, on what."""
        config, strategy, recipe = self.config, self.learner.strategy, self.learner.recipe
        height, width = config.data.image_size
        replicas, microbatches = strategy.num_replicas_in_sync, config.training.accumulation_steps
        batch = f"{config.data.batch_size} = {replicas} x {config.data.batch_size // replicas}"
        self.report(f"run            {config.name}: {config.recipe} at {height} x {width}")
        epochs = f", {config.training.epochs} times: {config.training.steps} steps" if config.training.epochs else ""
        self.report(f"images         {self.data.count}{epochs}")
        self.report(f"batch          {batch}" + (f", in {microbatches} microbatches" if microbatches > 1 else ""))
        workers = f", on each of {self._workers.count} workers" if self._workers.count > 1 else ""
        self.report(f"devices        {', '.join(device_names(strategy))}{workers}")
        self.report(f"generator      {parameter_count(recipe.generator):,} parameters")
        if recipe.discriminator is not None:
            parameters = f"{parameter_count(recipe.discriminator):,} parameters"
            self.report(f"discriminator  {parameters}, {recipe.n_critic} updates a step")
        phases = recipe.phases
        for phase in phases if len(phases) > 1 else ():
            frozen = f", with {len(phase.frozen)} weights frozen" if phase.frozen else ""
            self.report(f"from step {phase.first_step:<4} {', then '.join(phase.updates)}{frozen}")

    def _progress(self, values, steps_per_second):
        step, steps = self.learner.step, self.config.training.steps
        parts = [f"step {step}/{steps}"]
        if steps_per_second:
            left = f", {duration((steps - step) / steps_per_second)} left" if step < steps else ""
            parts.append(f"{values['images_per_second']:.3g} images/s{left}")
        parts += [f"{name} {values[name]:.4g}" for name in _SHOWN if name in values]
        return "  ".join(parts)

    def _report_broken_files(self):
        files = [file for file, _ in self.data.broken]
        if files:
            count, place = ("1 file", "its place") if len(files) == 1 else (f"{len(files)} files", "their places")
            self.report(f"{count} could not be read, others took {place}: {', '.join(files)}")


def _microbatch_size(config, replicas):
    """Examples that a replica computes at a time."""
    batch, microbatches = config.data.batch_size, config.training.accumulation_steps
    shards = replicas * microbatches
    if batch % shards:
        raise InputError(
            f"data.batch_size {batch} cannot be shared out evenly: {replicas} replicas take it in "
            f"training.accumulation_steps = {microbatches} microbatches each; choose a multiple of {shards}, or, "
            "to go on with a run, fewer devices (CUDA_VISIBLE_DEVICES, or training.strategy: one_device)"
        )
    return batch // shards
