"""Everything a run is told: one `Config`, read from a flat YAML file with overrides, checked as a whole.

    config = load_config("configs/celeba.yml", ["data.batch_size=8"])

Sections are frozen dataclasses whose docstrings say what each key means; `options` belongs to the recipe, `mask` to
`tf_inpaint.ops.masks`. `RANGES` holds the limits of single values, `check` the rules between them. A mistake is an
`InputError` that begins with the file and line, or the override, that made it.

TensorFlow is imported only when the file has been read, so that bad YAML is reported at once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Literal, Mapping, Optional, Sequence, Tuple, Union

from tf_inpaint.config import authors as authors_config
from tf_inpaint.config import yaml as yaml_config
from tf_inpaint.errors import InputError

if TYPE_CHECKING:
    from tf_inpaint.ops.masks import MaskOptions

    RecipeOptions = Any  # RECIPES[recipe].Options

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataConfig:
    """Which pictures are read, and how they become batches (section `data`).

    Attributes:
        train: training pictures: a folder (searched recursively), a glob, an .flist or .txt (a path on each line), a
            .csv, or a list of these; or CIFAR-10's cifar-10-python.tar.gz or the folder in it, as downloaded; "" where
            nothing is trained.
        validation: pictures for the fixed views and for validation, in the same forms (of CIFAR-10 the test pictures);
            "" takes training pictures for the views.
        image_size: (height, width) in pixels of the pictures trained on; a single number is both.
        fit: how a picture is brought to `image_size`: "crop" cuts a random part (a smaller picture is enlarged first),
            "resize" squashes the whole picture, "resize_crop" scales it until it just covers, then cuts a random part.
        shorter_side: for fit "crop", pixels that the shorter side is scaled to before a part is cut; 0 leaves pictures
            as large as they are.
        flip: mirror every second picture, at random, left to right.
        colour_jitter: brightness, contrast, saturation and hue of training pictures change at random by up to this
            share (0.05 in PEN-Net's release); 0 leaves them.
        edges: sketches for recipes that are guided: "paired" reads x_edge.png (or .jpg ...) beside each picture x,
            "canny" draws them from the pictures as they are read, "none" for recipes that are not.
        edges_folder: where paired sketches are, laid out as the pictures are in their source, or in a subfolder named
            as the source, such as train; "" is beside the pictures.
        edges_drop: share of training examples whose sketch is left empty, in [0, 1], lest the network take an empty
            sketch for a flat hole.
        batch_size: pictures in one update, over all devices; a multiple of `training.accumulation_steps`.
        parallel_calls: pictures decoded at the same time; -1 leaves the number to TensorFlow.
        max_broken_fraction: in [0, 1]; a run stops when more than this share of its files cannot be read.
    """

    train: Union[str, Tuple[str, ...]] = ""
    validation: Union[str, Tuple[str, ...]] = ""
    image_size: Tuple[int, int] = (256, 256)
    fit: Literal["crop", "resize", "resize_crop"] = "resize_crop"
    shorter_side: int = 0
    flip: bool = True
    colour_jitter: float = 0.0
    edges: Literal["none", "paired", "canny"] = "none"
    edges_folder: str = ""
    edges_drop: float = 0.0
    batch_size: int = 16
    parallel_calls: int = -1
    max_broken_fraction: float = 0.05


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam, for both networks (section `optimizer`); the defaults are DeepFill v1's.

    Attributes:
        learning_rate: > 0, before schedule and warm-up.
        beta1, beta2: decay of the running mean of gradients and of their squares, in [0, 1).
        epsilon: > 0, added to the root of the mean square.
        shared_count: count the updates of both networks together in the bias correction, as the release does with its
            one optimiser: after five critic updates the generator's first is corrected as a sixth.
        discriminator_learning_rate: > 0, the discriminator's own rate; null for the same. Only without `shared_count`.
        clip_norm: each network's gradients are scaled down to this global norm; 0 leaves them alone.
        schedule: of both rates: "constant"; "step" multiplies by `decay_rate` every `decay_every` steps; "linear" and
            "cosine" fall to 0 at `training.steps`.
        decay_every: in steps, for schedule "step"; 0 with any other.
        decay_rate: factor in (0, 1], for schedule "step".
        decay_until: for schedule "step": the rates stay as they are from this step on; 0 never stops.
        warmup_steps: steps in which the rates rise linearly from 0; fewer than `training.steps`.
    """

    learning_rate: float = 1e-4
    beta1: float = 0.5
    beta2: float = 0.9
    epsilon: float = 1e-8
    shared_count: bool = True
    discriminator_learning_rate: Optional[float] = None
    clip_norm: float = 0.0
    schedule: Literal["constant", "step", "linear", "cosine"] = "constant"
    decay_every: int = 0
    decay_rate: float = 1.0
    decay_until: int = 0
    warmup_steps: int = 0


@dataclass(frozen=True)
class TrainingConfig:
    """How long a run goes on, where, and what it leaves behind (section `training`).

    A step is one update of the generator, with the discriminator updates before it.

    Attributes:
        seed: 0 .. 2^31 - 1; weights, pictures, holes and every random number follow from it.
        steps: the run ends after this many.
        run_folder: where checkpoints, curves and views go; "" is runs/<name>.
        strategy: "one_device"; "mirrored" (all GPUs of this machine); "multi_worker" (of all machines in TF_CONFIG);
            "slurm" (of all tasks of a Slurm job step); or "auto": multi_worker where TF_CONFIG names several workers,
            else mirrored where there are several GPUs.
        precision: "float32", or what convolutions compute in: "mixed_bfloat16" (GPUs from Ampere on, processors with
            AVX512_BF16 or AMX), or "mixed_float16" (older GPUs), with losses scaled up before they are differentiated
            and updates left out whose gradients overflow. Weights, optimiser, norms, attention and losses are float32.
        xla: compile losses and gradients by XLA, which takes minutes at the start; for GPUs: processors are slower
            with it. It draws other random numbers where losses need some (gradient penalties, DCGAN's codes).
        steps_per_call: steps made in one call of one graph, for devices that would wait for Python between short
            updates; a call ends earlier where something is to be written, and a signal waits for its end.
        accumulation_steps: parts each device's share of a batch is split into to save memory; their gradients are
            averaged, so that an update still is of `data.batch_size` pictures.
        ema_decay: in [0, 1); decay per step of a running mean of the generator's weights, kept beside them and
            preferred for completing pictures; 0 keeps none.
        init_from: checkpoint whose weights a new run starts from: ours or the authors' (folder, prefix, .index, .npz or
            .pth file), or the name of weights that ship with the package.
        init_optimizer: take Adam's moments, its count and the step along from there, so that a run of the authors goes
            on where they stopped; the generator then starts from its own weights, not from their running mean.
        deterministic: run the same twice, bit for bit, at some cost in speed on GPUs.
        log_every: steps between progress lines and scalars.
        view_every: steps between sheets of fixed views; 0 writes none.
        view_count: pictures on such a sheet.
        checkpoint_every: steps between checkpoints.
        keep_checkpoints: how many of the newest are kept.
        validate_every: steps between measurements on validation pictures; 0 measures never.
        validation_count: pictures measured.
    """

    seed: int = 0
    steps: int = 1_000_000
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
}

# Intervals in which values must lie, each element of a list by itself. Recipes share names where they share a meaning.
RANGES = {
    "options.width": "[2, inf)",
    "options.critic_width": "[1, inf)",
    "options.n_critic": "[0, inf)",
    "options.image_size": "[8, inf)",
    "options.code_size": "[1, inf)",
    "options.n_generator": "[1, inf)",
    "options.search_steps": "[0, inf)",
    "options.search_rate": "(0, inf)",
    "options.prior_weight": "[0, inf)",
    "options.bottleneck": "[1, inf)",
    "options.overlap": "[0, inf)",
    "options.known_weight": "[0, inf)",
    "options.l2_weight": "[0, inf)",
    "options.hole_fill": "[0, 255]",
    "options.hole_weight": "[0, inf)",
    "options.valid_weight": "[0, inf)",
    "options.pyramid_weight": "[0, inf)",
    "options.local_patch": "[1, inf)",
    "options.discount_gamma": "(0, 1]",
    "options.l1_weight": "[0, inf)",
    "options.coarse_l1_weight": "[0, inf)",
    "options.hole_l1_weight": "[0, inf)",
    "options.autoencoder_weight": "[0, inf)",
    "options.perceptual_weight": "[0, inf)",
    "options.style_weight": "[0, inf)",
    "options.total_variation_weight": "[0, inf)",
    "options.adversarial_weight": "[0, inf)",
    "options.global_weight": "[0, inf)",
    "options.penalty_weight": "[0, inf)",
    "data.image_size": "[1, inf)",
    "data.shorter_side": "[0, inf)",
    "data.colour_jitter": "[0, 0.5]",
    "data.edges_drop": "[0, 1]",
    "data.batch_size": "[1, inf)",
    "data.parallel_calls": "[-1, inf)",
    "data.max_broken_fraction": "[0, 1]",
    "mask.height": "[1, inf)",
    "mask.width": "[1, inf)",
    "mask.max_delta_height": "[0, inf)",
    "mask.max_delta_width": "[0, inf)",
    "mask.vertical_margin": "[0, inf)",
    "mask.horizontal_margin": "[0, inf)",
    "mask.strokes": "[1, inf)",
    "mask.segments": "[1, inf)",
    "mask.brush_width": "[2, inf)",
    "mask.stroke_angle": "[0, 90]",
    "mask.stroke_angle_spread": "[0, 90]",
    "mask.border": "(0, 0.5)",
    "mask.shapes": "[1, inf)",
    "mask.shape_radius": "(0, 1]",
    "mask.noise_fraction": "[0, 1]",
    "mask.turn": "[0, 90]",
    "optimizer.learning_rate": "(0, inf)",
    "optimizer.beta1": "[0, 1)",
    "optimizer.beta2": "[0, 1)",
    "optimizer.epsilon": "(0, inf)",
    "optimizer.discriminator_learning_rate": "(0, inf)",
    "optimizer.clip_norm": "[0, inf)",
    "optimizer.decay_every": "[0, inf)",
    "optimizer.decay_rate": "(0, 1]",
    "optimizer.decay_until": "[0, inf)",
    "optimizer.warmup_steps": "[0, inf)",
    "training.seed": "[0, 2147483647]",
    "training.steps": "[1, inf)",
    "training.accumulation_steps": "[1, inf)",
    "training.steps_per_call": "[1, inf)",
    "training.ema_decay": "[0, 1)",
    "training.log_every": "[1, inf)",
    "training.view_every": "[0, inf)",
    "training.view_count": "[1, inf)",
    "training.checkpoint_every": "[1, inf)",
    "training.keep_checkpoints": "[1, inf)",
    "training.validate_every": "[0, inf)",
    "training.validation_count": "[1, inf)",
}


def load_config(path, overrides: Sequence[str] = (), report: Callable[[str], Any] | None = None) -> Config:
    """The checked configuration in a YAML file.

    The authors' own inpaint.yml is accepted too and translated (see `tf_inpaint.config.authors`).

    Args:
        path: of the file. A key left out keeps its default; the name left out is the file's.
        overrides: "section.key=value" each, the value in YAML; later ones win.
        report: called with each line of a translation, and with a note on each old name of a key, such as `print`; by
            default notes are logged.
    Returns:
        config: complete and checked.
    Raises:
        InputError: one sentence that begins with the file and line, or the override, at fault.
    """
    document = yaml_config.read(path)
    _take_new_names(document, report)
    if authors_config.is_authors(document.values):
        document, lines = authors_config.translate(document)
        for line in lines if report else ():
            report(line)
    for text in overrides:
        document.override(text)
        _take_new_names(document, report)
    return _resolve(document, Path(path).stem)


def config_from_dict(values: Mapping[str, Any], name: str = "") -> Config:
    """The checked configuration in a dict with a dict for each section, as `config_to_dict` makes it.

    Args:
        values: keys left out keep their defaults.
        name: for a dict without "name".
    Raises:
        InputError: on any mistake.
    """
    document = yaml_config.Document("config", dict(values))
    _take_new_names(document)
    return _resolve(document, name)


def options_from_dict(recipe: str, values: Mapping[str, Any], source: str):
    """A recipe's options alone, without the pictures and holes that a training of it would have to fit.

    Args:
        recipe: key of `RECIPES`.
        values: of the options; those left out keep their defaults.
        source: where they come from, for messages.
    Raises:
        InputError: on any mistake.
    """
    document = yaml_config.Document(source, {"name": "options", "recipe": recipe, "options": dict(values)})
    config = _built(document)
    _check_ranges(config)
    return config.options


def config_to_dict(config: Config) -> dict:
    """Plain dicts, lists and scalars, complete and in order: the inverse of `config_from_dict`."""
    return yaml_config.to_plain(config)


def to_yaml(config: Config) -> str:
    """YAML with every key written: the inverse of `load_config`."""
    return yaml_config.dump(config)


def check(config: Config) -> None:
    """Raise InputError, naming the keys, if a value is out of its range or two values do not go together."""
    from tf_inpaint.recipes import RECIPES

    if config.name in ("", ".", "..") or set(config.name) & set("/\\\0"):
        raise InputError(f"name must be the name of a folder, not {config.name!r}; put a path into training.run_folder")
    _check_choice("recipe", config.recipe, RECIPES)
    _check_ranges(config)
    _check_data(config.data, config.training)
    _check_mask(config.mask, config.data.image_size)
    _check_edges(config)
    _check_optimizer(config.optimizer, config.training)
    RECIPES[config.recipe].check(config.options, config.data.image_size, config.mask)


def _take_new_names(document, report=None):
    for note in document.rename(RENAMED):
        (report or _log.warning)(note)


def _resolve(document, name):
    document.values.setdefault("name", name)
    config = _built(document)
    try:
        check(config)
    except InputError as error:
        raise document.error(str(error)) from None
    return config


def _built(document):
    from tf_inpaint.ops.masks import MaskOptions
    from tf_inpaint.recipes import RECIPES

    recipe, options = document.values.get("recipe"), dict  # without a recipe, building stops at its missing name
    if isinstance(recipe, str):
        options = RECIPES[document.convert("recipe", recipe, Literal[tuple(RECIPES)])].Options
    return document.build(Config, {"RecipeOptions": options, "MaskOptions": MaskOptions})


def _check_choice(key, value, allowed):
    try:
        yaml_config.convert(value, Literal[tuple(allowed)])
    except TypeError as error:
        raise InputError(f"{key} {error}") from None


def _check_ranges(config):
    for key, interval in RANGES.items():
        section, _, name = key.partition(".")
        value = getattr(getattr(config, section), name, None)
        for each in value if isinstance(value, tuple) else (value,):
            if each is not None and not _inside(each, interval):
                raise InputError(f"{key} must be {_in_words(interval)}, not {each}")


def _ends(interval):
    """(opening bracket, low, high, closing bracket) of an interval such as "[0, 1)"."""
    low, high = interval[1:-1].split(", ")
    return interval[0], float(low), float(high), interval[-1]


def _inside(value, interval):
    opening, low, high, closing = _ends(interval)
    above = low <= value if opening == "[" else low < value
    below = value <= high if closing == "]" else value < high
    return above and below  # false for a NaN


def _in_words(interval):
    opening, low, high, closing = _ends(interval)
    words = f"{'at least' if opening == '[' else 'above'} {low:g}"
    if high < float("inf"):
        words += f" and {'at most' if closing == ']' else 'below'} {high:g}"
    return words


def _check_data(data, training):
    if data.parallel_calls == 0:
        raise InputError("data.parallel_calls must be -1 (automatic) or at least 1, not 0")
    if data.batch_size % training.accumulation_steps:
        raise InputError(
            f"data.batch_size must be a multiple of training.accumulation_steps, and {data.batch_size} is none of "
            f"{training.accumulation_steps}"
        )
    if data.shorter_side and data.fit != "crop":
        raise InputError(f"data.shorter_side needs data.fit: crop, not {data.fit}; 0 leaves pictures as they are")
    if training.init_optimizer and not training.init_from:
        raise InputError("training.init_optimizer needs training.init_from, a checkpoint with an optimiser in it")
    if training.validate_every and not data.validation:
        raise InputError("training.validate_every needs pictures in data.validation, which is empty")


def _check_edges(config):
    guided, edges = getattr(config.options, "guided", False), config.data.edges
    if guided and edges == "none":
        raise InputError("data.edges must be paired or canny with options.guided: true, which reads sketches")
    if not guided and edges != "none":
        raise InputError(f"data.edges must be none, not {edges}, unless a recipe reads sketches (options.guided: true)")
    if config.data.edges_folder and edges != "paired":
        raise InputError(f"data.edges_folder works with data.edges: paired only, not with {edges}")
    if edges == "none" and config.data.edges_drop:
        raise InputError("data.edges_drop must be 0 without sketches (data.edges: none)")


def _check_mask(mask, image_size):
    from tf_inpaint.ops.masks import MASKS

    _check_choice("mask.kind", mask.kind, (*MASKS, "files", "mix"))
    if (mask.kind == "mix") != bool(mask.mix):
        raise InputError(f"mask.mix must name kinds and weights with mask.kind: mix, and be [] with {mask.kind!r}")
    for kind, weight in mask.mix:
        _check_choice("mask.mix", kind, (*MASKS, "files"))
        if not 0 < weight < float("inf"):
            raise InputError(f"mask.mix must give {kind} a weight above 0, not {weight:g}")
    if ("files" in mask.kinds) != bool(mask.files):
        needed = "mask.files must name mask files" if "files" in mask.kinds else 'mask.files must be ""'
        raise InputError(f"{needed} with mask.kind: {mask.kind}")
    for key in ("strokes", "segments", "brush_width", "shapes", "shape_radius", "noise_fraction"):
        least, greatest = getattr(mask, key)
        if least > greatest:
            raise InputError(f"mask.{key} must be [least, greatest], not [{least:g}, {greatest:g}]")
    if mask.has_box:
        _check_box(mask, image_size)


def _check_box(mask, image_size):
    sides = (
        ("height", mask.height, mask.vertical_margin, "vertical_margin", mask.max_delta_height, image_size[0]),
        ("width", mask.width, mask.horizontal_margin, "horizontal_margin", mask.max_delta_width, image_size[1]),
    )
    for side, extent, margin, margin_name, max_delta, available in sides:
        if extent + 2 * margin > available:
            raise InputError(
                f"mask.{side} and twice mask.{margin_name} are {extent} + 2 * {margin} pixels, more than the "
                f"{available} of data.image_size"
            )
        if extent - 2 * (max_delta // 2) < 1:
            raise InputError(
                f"mask.max_delta_{side} must be below mask.{side}, or no hole is left of its {extent} pixels; it is "
                f"{max_delta}"
            )


def _check_optimizer(optimizer, training):
    if optimizer.shared_count and optimizer.discriminator_learning_rate is not None:
        raise InputError(
            "optimizer.discriminator_learning_rate needs optimizer.shared_count: false, since a shared count means one "
            "optimizer with one learning rate"
        )
    if (optimizer.schedule == "step") != (optimizer.decay_every > 0):
        raise InputError(
            "optimizer.decay_every must be at least 1 with optimizer.schedule: step, and 0 with any other, not "
            f"{optimizer.decay_every} with {optimizer.schedule}"
        )
    if optimizer.schedule != "step" and optimizer.decay_rate != 1.0:
        raise InputError(
            f"optimizer.decay_rate works with optimizer.schedule: step only, not with {optimizer.schedule}"
        )
    if optimizer.warmup_steps >= training.steps:
        raise InputError(
            f"optimizer.warmup_steps must be below training.steps, not {optimizer.warmup_steps} of {training.steps}"
        )
