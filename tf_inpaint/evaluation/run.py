"""An evaluation from end to end: pictures in, numbers, files and a report out."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Callable, Sequence

import cv2
import numpy as np
from PIL import __version__ as pillow_version

from tf_inpaint import cli
from tf_inpaint.errors import InputError
from tf_inpaint.evaluation import page, plots, sheet, table
from tf_inpaint.evaluation.journal import Journal
from tf_inpaint.evaluation.methods import BASELINES, Baseline, Completions, Network, Task, named
from tf_inpaint.evaluation.protocols import (
    DrawnHoles,
    HoleFiles,
    choose,
    fit_picture,
    mask_digest,
    stem,
)
from tf_inpaint.evaluation.summary import BINS, Summary, rounded
from tf_inpaint.io.images import read_image, write_png
from tf_inpaint.io.listing import list_files, source_root, split_edges
from tf_inpaint.io.shards import Shard

FORMAT = 1  # of rows and results; another number begins anew


def evaluate(
    images,
    output,
    protocol: str = "deepfill_v2_freeform",
    *,
    checkpoints: Sequence[str] = (),
    baselines: Sequence[str] = tuple(BASELINES),
    completions: Sequence[str] = (),
    size: int | None = None,
    seed: int | None = None,
    masks=None,
    invert_masks: bool = False,
    limit: int | None = None,
    batch_size: int = 8,
    padding: str | None = None,
    strategies: Sequence[str] = ("exact",),
    residuals: Sequence[float | None] = (None,),
    inception_weights: str | None = None,
    vgg_weights: str | None = None,
    restart: bool = False,
    shard: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict:
    """Completes pictures by a protocol with several methods, measures them all alike, and writes what came out.

    Every method is measured on the same pictures; one that cannot be read, or that a folder of completions lacks, is
    left out for all and named. Called again with the same arguments, it goes on where it stopped.

    Args:
        images: a folder, a glob, a list or a sequence of these.
        output: folder for results.json, results.csv, per_image.csv, report.html, plots and the picture sheet.
        protocol: key of `PROTOCOLS`.
        checkpoints: run folders or checkpoints of the authors, each `path` or `name=path`; the first method ranks the
            pictures of the sheet.
        baselines: keys of `methods.BASELINES`.
        completions: folders of other programs' completions, each `path` or `name=path`.
        size: side of the pictures; the protocol's by default.
        seed: of the holes; the protocol's by default.
        masks: for from_files: a folder, a glob or a list.
        invert_masks: the holes of these are black.
        limit: evaluate the first of the pictures only.
        batch_size: pictures completed at once by a checkpoint.
        padding: of the networks' convolutions, as `Inpainter.load` takes it.
        strategies, residuals: of completing, see `Inpainter.load`; of several, each checkpoint is measured with each.
        inception_weights, vgg_weights: Keras' weights without top for FID and the VGG distance: a file, "download", or
            None for what an earlier download has left.
        restart: drop what an earlier evaluation has left in `output`; of a part, what this part has.
        shard: "i/n" measures the part of machine i of n, every n-th picture, and leaves its numbers in `output`. Called
            without it, when they are done, the results are made of all parts there.
        progress: called with (pictures done, pictures in all).
    Returns:
        What results.json holds: "protocol", "pictures", "masks", "metrics", "methods", "truth". Of a part, only its
        "pictures": "count" and "left_out".
    Raises:
        InputError: if nothing can be evaluated, or `output` holds another evaluation.
    """
    started = time.time()
    if batch_size < 1:
        raise InputError(f"the batch size must be 1 or more, not {batch_size}")
    part = Shard.parse(shard)
    chosen = choose(protocol, size, seed)
    names, files = _pictures(images, limit)
    holes = _holes(chosen, masks, invert_masks, names)
    methods = _methods(checkpoints, baselines, completions, padding, strategies, residuals, names)

    tensorflow = cli.import_tensorflow()
    from tf_inpaint.evaluation import measures

    features = _Features(Path(output), part, methods, inception_weights, vgg_weights)
    good, missing = measures.measurable(chosen.size)
    journal = Journal(output, _settings(chosen, names, files, holes, methods, features), restart, part)
    work = _Work(names, files, chosen, holes)
    try:
        numbers = part.of(range(len(names)))
        ruler = measures.Ruler(good)
        left_out, seconds = _measure_all(work, numbers, methods, ruler, features, journal, batch_size, progress)
        results = {"pictures": {"count": len(journal.done), "left_out": left_out}}
        if part.whole:
            if not journal.done:
                raise InputError(f"no picture could be evaluated; the first: {next(iter(left_out.values()))}")
            metrics = [measure.name for measure in good] + features.per_picture
            summary = Summary(journal.rows(), [method.name for method in methods], metrics)
            missing = {**missing, **features.missing}
            every = [*measures.PER_PICTURE, *features.measures]
            results = _results(chosen, holes, methods, summary, every, missing, left_out)
            features.add_fid(results, summary.numbers, journal.part_of)
            _write(results, summary, journal, work, methods)
        _write_run(journal.folder, part, started, seconds, batch_size, images, methods, tensorflow)
        if part.whole:
            page.write(journal.folder, results)
    finally:
        journal.close()
    return results


def export_tasks(
    images, output, protocol, *, size=None, seed=None, masks=None, invert_masks=False, limit=None
) -> tuple[int, dict[str, str]]:
    """Writes the pictures of a protocol and their holes, for other programs to complete.

    Args:
        images, protocol, size, seed, masks, invert_masks, limit: as `evaluate`.
        output: folder; images/x.png and masks/x.png (white = hole) for each picture x, or x/y.png for x/y.
    Returns:
        (number written, {name: why not} of the others).
    """
    chosen = choose(protocol, size, seed)
    names, files = _pictures(images, limit)
    work = _Work(names, files, chosen, _holes(chosen, masks, invert_masks, names))
    left_out = {}
    for number, name in enumerate(names):
        try:
            task = work.task(number)
        except InputError as error:
            left_out[name] = work.reason(number, error)
            continue
        write_png(Path(output) / "images" / f"{stem(name)}.png", task.image)
        write_png(Path(output) / "masks" / f"{stem(name)}.png", np.uint8(255) * task.hole)
    return len(names) - len(left_out), left_out


class _Work:
    """The tasks of an evaluation, made when asked for."""

    def __init__(self, names, files, protocol, holes):
        self.names, self._files, self._protocol, self._holes = names, files, protocol, holes

    def task(self, number) -> Task:
        image = read_image(self._files[number]).rgb
        hole = self._holes.hole(number, self.names[number], image.shape)
        return Task(number, self.names[number], fit_picture(image, self._protocol), hole)

    def reason(self, number, error) -> str:
        """What an error says of a picture, which is "it"."""
        return str(error).replace(self._files[number], "it")


def _pictures(images, limit):
    files, _ = split_edges(list_files(images))
    root = source_root(images, files)
    if limit is not None:
        if limit < 1:
            raise InputError(f"the limit must be 1 or more, not {limit}")
        files = files[:limit]
    names = [os.path.relpath(file, root).replace(os.sep, "/") for file in files]
    stems: dict[str, str] = {}
    for name in names:
        if stem(name) in stems:
            raise InputError(f"two pictures have the same name: {stems[stem(name)]} and {name}")
        stems[stem(name)] = name
    return names, files


def _holes(protocol, masks, invert_masks, names):
    if protocol.drawing != "files":
        if masks is not None or invert_masks:
            raise InputError(f"the protocol {protocol.name} draws its holes: masks are for the protocol from_files")
        return DrawnHoles(protocol)
    if masks is None:
        raise InputError("the protocol from_files needs masks")
    return HoleFiles(protocol, masks, names, invert_masks)


def _methods(checkpoints, baselines, completions, padding, strategies, residuals, names):
    for name in baselines:
        if name not in BASELINES:
            raise InputError(f"there is no baseline {name}: choose from {', '.join(BASELINES)}")
    pairs = named([*checkpoints, *completions], "--checkpoint_dir or --completions")
    methods = [
        Network(
            name + (f" {strategy}" if len(strategies) > 1 else "") + (f" {strength:g}" if len(residuals) > 1 else ""),
            path,
            padding,
            strategy,
            strength,
        )
        for name, path in pairs[: len(checkpoints)]
        for strategy in strategies
        for strength in residuals
    ]
    methods += [Completions(name, path, names) for name, path in pairs[len(checkpoints) :]]
    methods += [Baseline(name) for name in dict.fromkeys(baselines)]
    if not methods:
        raise InputError("there is nothing to evaluate: give checkpoints, completions or baselines")
    return methods


def _settings(protocol, names, files, holes, methods, features):
    """All that numbers depend on, flat, for `Journal`."""
    sizes = [os.path.getsize(file) if os.path.exists(file) else 0 for file in files]
    listing = hashlib.sha256(repr(list(zip(names, sizes))).encode()).hexdigest()
    return {
        "format": FORMAT,
        "protocol": protocol.name,
        "size": protocol.size,
        "seed": protocol.seed,
        "masks": holes.identity,
        "pictures": f"{len(names)} {listing}",
        **{f"method {method.name}": method.identity for method in methods},
        **features.settings,
    }


class _Features:
    """FID and VGG distance, as far as there are weights."""

    def __init__(self, output, shard, methods, inception_weights, vgg_weights):
        from tf_inpaint.evaluation import features

        self._module = features
        self.measures = [features.VGG, features.FID]
        self.missing, self.settings = {}, {}
        self._vgg = self._inception = None
        self._loaders = {}
        loaders = (
            (features.VGG, "vgg", vgg_weights, features.VggDistance),
            (features.FID, "inception", inception_weights, features.Inception),
        )
        for measure, kind, given, loader in loaders:
            file, reason = features.weights_file(kind, given)
            if file is None:
                self.missing[measure.name] = reason
            else:
                self.settings[f"{kind} weights"] = features.file_digest(file)
                self._loaders[measure.name] = (loader, file)
        self.per_picture = [features.VGG.name] if features.VGG.name in self._loaders else []
        self._files = {}
        if features.FID.name in self._loaders:
            columns = ["truth", *(f"method-{number}" for number in range(len(methods)))]
            folder, width = output / "features", features.INCEPTION_FEATURES
            self._files = {each: features.FeatureFile(folder / f"{each}.f32", width, shard) for each in columns}

    def start(self):
        """Loads the networks."""
        loaded = {name: loader(file) for name, (loader, file) in self._loaders.items()}
        self._vgg, self._inception = loaded.get(self._module.VGG.name), loaded.get(self._module.FID.name)

    def measure(self, task, completed):
        """{metric: a number for each method} of one picture; keeps its features."""
        stacked = np.stack(completed)
        if self._inception is not None:
            rows = self._inception.features(np.concatenate([task.image[np.newaxis], stacked]))
            for file, row in zip(self._files.values(), rows):
                file.write(task.number, row)
        if self._vgg is None:
            return {}
        return {self._module.VGG.name: self._vgg.distances(task.image, stacked).tolist()}

    def add_fid(self, results, numbers, part_of):
        """Streams the features kept of pictures, of whatever part, and puts FID into the results."""
        if not self._files:
            return
        if len(numbers) < 2:
            results["metrics"]["fid"]["not_measured"] = "it needs two pictures at least"
            return
        truth, *others = self._files.values()
        moments = self._module.mean_and_covariance(truth.chunks(numbers, part_of))
        for method, file in zip(results["methods"], others):
            own = self._module.mean_and_covariance(file.chunks(numbers, part_of))
            method["results"]["fid"] = {"mean": rounded(self._module.frechet_distance(*moments, *own))}


def _measure_all(work, numbers, methods, ruler, features, journal, batch_size, progress):
    """Measures what is not measured yet; returns ({name: why} of pictures left out, {method: seconds a picture})."""
    done = journal.done
    todo = [number for number in numbers if number not in done]
    left_out, spent, completed_count = {}, dict.fromkeys([method.name for method in methods], 0.0), 0
    report = progress or (lambda done, total: None)
    for method in methods:
        method.start()  # what is said about it, and the sheet, need that even where all is measured
    if todo:
        features.start()
    finished = len(done)
    report(finished, len(numbers))
    for first in range(0, len(todo), batch_size):
        tasks, batch = [], todo[first : first + batch_size]
        for number in batch:
            try:
                tasks.append(work.task(number))
            except InputError as error:
                left_out[number] = work.reason(number, error)
        columns = []
        for method in methods if tasks else ():
            before = time.perf_counter()
            columns.append(method.complete(tasks))
            spent[method.name] += time.perf_counter() - before
        for i, task in enumerate(tasks):
            completed = [column[i] for column in columns]
            wrong = next((each for each in completed if isinstance(each, InputError)), None)
            if wrong is not None:
                left_out[task.number] = work.reason(task.number, wrong)
                continue
            journal.write(_row(task, methods, completed, ruler, features))
        completed_count += len(tasks)
        journal.flush()
        finished += len(batch)
        report(finished, len(numbers))
    seconds = {name: time_spent / max(completed_count, 1) for name, time_spent in spent.items()}
    return {work.names[number]: reason for number, reason in sorted(left_out.items())}, seconds


def _row(task, methods, completed, ruler, features):
    values = [ruler.measure(each, task.image, task.hole) for each in completed]
    for name, numbers in features.measure(task, completed).items():
        for own, value in zip(values, numbers):
            own[name] = value
    return {
        "number": task.number,
        "picture": task.name,
        "hole_share": float(task.hole.mean()),
        "mask_sha256": mask_digest(task.hole),
        "picture_sha256": hashlib.sha256(task.image.tobytes()).hexdigest(),
        "truth_tv": ruler.variation(task.image),
        "values": dict(zip([method.name for method in methods], values)),
    }


def _results(protocol, holes, methods, summary, measures, missing, left_out):
    return {
        "format": FORMAT,
        "protocol": {
            "name": protocol.name,
            "size": protocol.size,
            "fit": protocol.fits,
            "holes": protocol.holes,
            "seed": protocol.seed,
        },
        "pictures": {"count": summary.count, "sha256": summary.pictures_sha256, "left_out": left_out},
        "masks": {
            "origin": holes.origin,
            "sha256": summary.masks_sha256,
            "share_mean": rounded(summary.share.mean),
            "share_least": rounded(summary.least_share),
            "share_greatest": rounded(summary.greatest_share),
        },
        "metrics": {measure.name: _metric(measure, missing) for measure in measures},
        "methods": [_method(method, summary) for method in methods],
        "truth": {"tv": rounded(summary.truth_tv.mean)},
    }


def _metric(measure, missing):
    metric = {key: getattr(measure, key) for key in ("region", "range", "formula", "better", "digits")}
    if measure.name in missing:
        metric["not_measured"] = missing[measure.name]
    return metric


def _method(method, summary):
    total = {metric: summary.total[method.name, metric] for metric in summary.metrics}
    by_share = []
    for each in summary.bins():
        running = {metric: summary.by_share[each, method.name, metric] for metric in summary.metrics}
        by_share.append(
            {
                "above": each / BINS,
                "up_to": (each + 1) / BINS,
                "count": next(iter(running.values())).count,
                "mean": {metric: rounded(own.mean) for metric, own in running.items()},
            }
        )
    about = {"name": method.name, "about": method.about}
    if isinstance(method, Network):
        about["weights_sha256"] = method.weights_sha256
    results = {
        metric: {
            "mean": rounded(own.mean),
            "deviation": rounded(own.deviation),
            "standard_error": rounded(own.deviation / own.count**0.5),
        }
        for metric, own in total.items()
    }
    return {**about, "results": results, "by_hole_share": by_share}


def _write(results, summary, journal, work, methods):
    folder = journal.folder
    with open(folder / "results.json", "w", encoding="utf-8") as file:
        file.write(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    table.write_results_csv(folder / "results.csv", results)
    table.write_per_image_csv(folder / "per_image.csv", journal.rows(), summary.methods, summary.metrics)
    picked = []
    for rank, number in summary.ranked().items():
        task = work.task(number)
        completed = [method.complete([task])[0] for method in methods]
        values = journal.row(number)["values"]
        picked.append(sheet.Line(rank, task, completed, [values[method.name]["psnr"] for method in methods]))
    write_png(folder / "sheet.png", sheet.draw(picked, [method.name for method in methods]))
    plots.draw_by_share(folder / "by_hole_share.png", results)
    runs = {method.name: Path(method.folder) for method in methods if isinstance(method, Network)}
    plots.draw_training(folder / "training.png", runs)


def _write_run(folder, part, started, seconds, batch_size, images, methods, tensorflow):
    """What may differ from run to run, apart from the results."""
    run = {
        "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
        "images": str(images),
        "checkpoints": {
            method.name: os.path.abspath(method.folder) for method in methods if isinstance(method, Network)
        },
        "finished": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "seconds": round(time.time() - started, 1),
        "seconds_per_picture": {name: round(value, 4) for name, value in seconds.items()},
        "batch_size": batch_size,
        "devices": [device.name for device in tensorflow.config.list_physical_devices()],
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tensorflow.__version__,
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "pillow": pillow_version,
        },
    }
    (folder / f"run{part.suffix}.json").write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")
