"""An evaluation from end to end: images in, numbers, files and a report out."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence

import cv2
import numpy as np
from PIL import __version__ as pillow_version

from tf_inpaint import cli
from tf_inpaint.checkpoints.shipped import shipped_weights
from tf_inpaint.errors import InputError
from tf_inpaint.evaluation import page, plots, ranking, sheet, table
from tf_inpaint.evaluation.baselines import BASELINES, CHEAP
from tf_inpaint.evaluation.journal import FEATURES, Journal
from tf_inpaint.evaluation.methods import Completions, Method, Trained, Untrained, complete_all, named
from tf_inpaint.evaluation.protocols import FITS, choose, mask_digest, set_digest
from tf_inpaint.evaluation.summary import Summary, rounded
from tf_inpaint.evaluation.tasks import Tasks
from tf_inpaint.io.images import write_png
from tf_inpaint.io.shards import Shard

FORMAT = 3  # of rows and results; another number begins anew


@dataclass(frozen=True)
class Evaluation:
    """What is evaluated, by which protocol and methods; `run` does it.

    Attributes:
        images: a folder, a glob, a list or a sequence of these.
        output: folder for results.json, results.csv, per_image.csv, report.html, plots and the sheet.
        protocol: key of `PROTOCOLS`.
        checkpoints: run folders or checkpoints of the authors, each `path` or `name=path`; the first method ranks the
            images of the sheet.
        baselines: keys of `BASELINES`, or ["all"]; those whose package is missing are left out and named.
        completions: folders of other programs' completions, each `path` or `name=path`.
        size: side of the images; the protocol's by default.
        seed: of the masks; the protocol's by default.
        masks: for from_files: a folder, a glob or a list.
        invert_masks: the holes of these are black.
        mask_from: what of these is the hole, as `io.holes.read_holes` takes it.
        limit: evaluate the first of the images only.
        batch_size: images completed at once by a checkpoint.
        padding: of the convolutions, as `Inpainter.load` takes it.
        trust_saved_model: as `Inpainter.load` takes it.
        strategies, residuals, textures: of completing, see `Inpainter.load`; of several, each checkpoint is measured
            with each.
        inception_weights, vgg_weights: Keras' weights without top for FID and the VGG distance: a file, "download", or
            None for what an earlier download has left.
        lpips_trunk: torchvision's file of AlexNet or VGG16, for LPIPS.
        restart: drop what an earlier evaluation has left in `output`; of a shard, what this shard has.
        shard: "i/n" measures the shard of machine i of n, every n-th image, and leaves its numbers in `output`. Run
            without it, when they are done, the results are made of all shards there.
    """

    images: str | Sequence[str]
    output: str | os.PathLike
    protocol: str = "deepfill_v2_freeform"
    checkpoints: Sequence[str] = ()
    baselines: Sequence[str] = tuple(CHEAP)
    completions: Sequence[str] = ()
    size: int | None = None
    seed: int | None = None
    masks: str | Sequence[str] | None = None
    invert_masks: bool = False
    mask_from: str = "auto"
    limit: int | None = None
    batch_size: int = 8
    padding: str | None = None
    strategies: Sequence[str] = ("exact",)
    residuals: Sequence[float | None] = (None,)
    textures: Sequence[str | None] = (None,)
    trust_saved_model: bool = False
    inception_weights: str | None = None
    vgg_weights: str | None = None
    lpips_trunk: str | None = None
    restart: bool = False
    shard: str | None = None

    def run(self, progress: Callable[[int, int], None] = lambda done, total: None) -> dict:
        """Completes images by a protocol with several methods, measures them all alike, and writes what came out.

        Every method is measured on the same images; one that cannot be read, or that a folder of completions lacks, is
        left out for all and named. Run again with the same attributes, it goes on where it stopped.

        Args:
            progress: called with (images done, images in all).
        Returns:
            What results.json holds: "protocol", "pictures", "masks", "metrics", "methods", "truth". Of a shard, only
            its "pictures": "count" and "left_out".
        Raises:
            InputError: if nothing can be evaluated, or `output` holds another evaluation.
        """
        started = time.time()
        if self.batch_size < 1:
            raise InputError(f"the batch size must be 1 or more, not {self.batch_size}")
        shard = Shard.parse(self.shard)
        tasks = self.tasks()
        methods = self.methods(tasks.names)

        cli.import_tensorflow()
        from tf_inpaint.evaluation.features import Features
        from tf_inpaint.evaluation.measures import Ruler

        folder = Path(self.output)
        weights = self.inception_weights, self.vgg_weights, self.lpips_trunk
        features = Features(folder / FEATURES, shard, [method.name for method in methods], *weights)
        ruler = Ruler(tasks.protocol.size, features)
        settings = {
            "format": FORMAT,
            **tasks.settings,
            **{f"method {method.name}": method.identity for method in methods},
            **features.settings,
        }
        for method in methods:
            method.start()  # before the folder is begun; even where all is measured, the sheet and `about` need it
        with Journal(folder, settings, self.restart, shard) as journal:
            indices = shard.of(range(len(tasks)))
            left_out, seconds = self._measure(tasks, indices, methods, ruler, journal, progress)
            results = {"pictures": {"count": len(journal.done), "left_out": left_out}}
            if shard.covers_all:
                if not journal.done:
                    raise InputError(f"no image could be evaluated; the first: {next(iter(left_out.values()))}")
                summary = Summary(journal.rows(), [method.name for method in methods], ruler.metrics)
                results = _results(tasks, methods, journal, summary, ruler, left_out)
                results["missing_methods"] = self._missing()
                _add_distances_of_sets(results, features, summary, journal)
                results["ranking"] = ranking.rank(results, journal.rows, ruler.metrics[0])
                table.write_files(folder, results, journal.rows(), ruler.metrics)
                examples = _draw(folder, results, journal, summary, tasks, methods)
            self._write_run(shard, methods, seconds, started)
            if shard.covers_all:
                page.write(folder, results, examples)
        return results

    def tasks(self) -> Tasks:
        """Images and masks by the protocol."""
        protocol = choose(self.protocol, self.size, self.seed)
        return Tasks(self.images, protocol, self.masks, self.invert_masks, self.limit, self.mask_from)

    def methods(self, names: Sequence[str]) -> list[Method]:
        """The columns of the table, for images of these names.

        Raises:
            InputError: if one is not there, or there are none.
        """
        pairs = named([*self.checkpoints, *self.completions], "--checkpoint_dir or --completions")
        methods = []
        for name, path in pairs[: len(self.checkpoints)]:
            for strategy, strength, texture in itertools.product(self.strategies, self.residuals, self.textures):
                column = f"{name} {strategy}" if len(self.strategies) > 1 else name
                column += f" {_or_default(strength)}" if len(self.residuals) > 1 else ""
                column += f" {_or_default(texture)}" if len(self.textures) > 1 else ""
                settings = {"padding": self.padding, "strategy": strategy, "residuals": strength, "texture": texture}
                methods.append(Trained(column, path, **settings, trust_saved_model=self.trust_saved_model))
        methods += [Completions(name, path, names) for name, path in pairs[len(self.checkpoints) :]]
        missing = self._missing()
        methods += [Untrained(name) for name in self._baselines() if name not in missing]
        if not methods:
            raise InputError(
                "there is nothing to evaluate: give checkpoints, completions or baselines"
                + "".join(f"; {name}: {why}" for name, why in missing.items())
            )
        return methods

    def _baselines(self):
        """Keys of `BASELINES`, each once."""
        names = list(BASELINES) if list(self.baselines) == ["all"] else dict.fromkeys(self.baselines)
        for name in names:
            if name not in BASELINES:
                raise InputError(f"there is no baseline {name}: choose from {', '.join(BASELINES)}, or all")
        return names

    def _missing(self):
        """{baseline: what to install} of those that cannot run here."""
        missing = {name: BASELINES[name].missing() for name in self._baselines()}
        return {name: why for name, why in missing.items() if why}

    def _measure(self, tasks, indices, methods, ruler, journal, progress):
        """Measures what is not measured yet; returns ({name: why} of images left out, {method: seconds an image})."""
        done = journal.done
        todo = [index for index in indices if index not in done]
        left_out, seconds, completed_count = {}, np.zeros(len(methods)), 0
        if todo:
            ruler.start()
        progress(len(done), len(indices))
        places = range(0, len(todo), self.batch_size)
        batches = (list(tasks.readable(todo[first : first + self.batch_size], left_out)) for first in places)
        with contextlib.closing(complete_all(methods, batches)) as completed_batches:
            for first, (batch, columns, spent) in zip(places, completed_batches):
                seconds += spent
                completed_count += len(batch)
                for task, *completed in zip(batch, *columns):
                    wrong = next((one for one in completed if isinstance(one, InputError)), None)
                    if wrong is None:
                        journal.write(_row(task, methods, completed, ruler))
                    else:
                        left_out[task.index] = tasks.reason(task.index, wrong)
                journal.flush()
                progress(len(done) + min(first + self.batch_size, len(todo)), len(indices))
        names = [method.name for method in methods]
        return tasks.named(left_out), dict(zip(names, (seconds / max(completed_count, 1)).tolist()))

    def _write_run(self, shard, methods, seconds, started):
        """What may differ from run to run, apart from the results."""
        import tensorflow as tf

        run = {
            "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
            "images": str(self.images),
            "checkpoints": {
                name: folder if folder in shipped_weights() else os.path.abspath(folder)
                for name, folder in _folders(methods).items()
            },
            "finished": time.strftime("%Y-%m-%d %H:%M:%S %z"),
            "seconds": round(time.time() - started, 1),
            "seconds_per_picture": {name: round(value, 4) for name, value in seconds.items()},
            "batch_size": self.batch_size,
            "devices": [device.name for device in tf.config.list_physical_devices()],
            "machine": f"{platform.system()} {platform.machine()}",
            "versions": {
                "python": platform.python_version(),
                "tensorflow": tf.__version__,
                "numpy": np.__version__,
                "opencv": cv2.__version__,
                "pillow": pillow_version,
            },
        }
        path = Path(self.output) / f"run{shard.suffix}.json"
        path.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")


def evaluate(images, output, protocol: str = Evaluation.protocol, *, progress=None, **options) -> dict:
    """`Evaluation(images, output, protocol, **options).run(progress)`, for short."""
    evaluation = Evaluation(images, output, protocol, **options)
    return evaluation.run(progress) if progress else evaluation.run()


def _or_default(value):
    """A setting as part of a column's name; None is what the weights say."""
    return "default" if value is None else f"{value:g}" if isinstance(value, float) else value


def _folders(methods):
    return {method.name: method.folder for method in methods if method.folder}


def _row(task, methods, completed, ruler):
    return {
        "number": task.index,
        "picture": task.name,
        "hole_share": float(task.mask.mean()),
        "mask_sha256": mask_digest(task.mask),
        "picture_sha256": hashlib.sha256(task.image.tobytes()).hexdigest(),
        "truth_tv": ruler.variation(task.image),
        "values": dict(zip([method.name for method in methods], ruler.measure(task, completed))),
    }


def _results(tasks, methods, journal, summary, ruler, left_out):
    """What results.json holds."""
    protocol, ratio = tasks.protocol, summary.ratio
    images, masks = (set_digest(row[key] for row in journal.rows()) for key in ("picture_sha256", "mask_sha256"))
    return {
        "format": FORMAT,
        "protocol": {
            "name": protocol.name,
            "size": protocol.size,
            "fit": FITS[protocol.fit],
            "holes": protocol.holes,
            "seed": protocol.seed,
        },
        "pictures": {"count": summary.count, "sha256": images, "left_out": left_out},
        "masks": {
            "origin": tasks.masks.origin,
            "sha256": masks,
            "share_mean": rounded(ratio.mean),
            "share_least": rounded(ratio.least),
            "share_greatest": rounded(ratio.greatest),
        },
        "metrics": ruler.described(summary.count),
        "methods": [{**method.facts(), **summary.of(method.name)} for method in methods],
        "truth": {"tv": rounded(summary.truth_tv.mean)},
    }


def _add_distances_of_sets(results, features, summary, journal):
    """Of all images, and of those of each bin of the hole ratio."""
    sets = [(summary.indices, [method["results"] for method in results["methods"]])]
    for place, index in enumerate(summary.bins()):
        columns = [method["by_hole_share"][place]["mean"] for method in results["methods"]]
        sets.append((summary.indices_by_ratio[index], columns))
    for indices, columns in sets:
        for name, distances in features.of_sets(indices, journal.shard_of).items():
            for column, distance in zip(columns, distances):
                value = rounded(distance)
                column[name] = {"mean": value} if indices is summary.indices else value


def _draw(folder, results, journal, summary, tasks, methods):
    """The sheet, of the worst, the median and the best image by the first metric, and the plots; returns its rows."""
    names, rows = [method.name for method in methods], []
    metric = results["ranking"]["metric"]
    about = results["metrics"][metric]
    for rank, index in summary.ranked(about["better"] == "higher").items():
        task, values = tasks[index], journal.row(index)["values"]
        masked_image = np.where(task.mask[..., np.newaxis], np.uint8(255), task.image)
        images = [masked_image, *(method.complete([task])[0] for method in methods), task.image]
        captions = ["", *(f"{values[name][metric]:.{about['digits']}f}" for name in names), ""]
        rows.append((f"{rank} by {metric} of {names[0]}: {task.name}", images, captions))
    write_png(folder / "sheet.png", sheet.draw(rows, ["input", *names, "truth"]))
    plots.draw_by_ratio(folder / "by_hole_share.png", results)
    plots.draw_training(folder / "training.png", _folders(methods))
    return rows
