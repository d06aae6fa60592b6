"""What a config's values must be: `RANGES` holds the limits of single ones, `check` the rules between them too."""

from __future__ import annotations

import operator
from typing import Literal

from tf_inpaint.config.annotations import convert, flatten, show, to_plain
from tf_inpaint.errors import InputError

_KEYS = {  # interval: keys whose values lie in it, each element of a list by itself; recipes share names and meanings
    "[2, inf)": "options.width options.depth mask.brush_width",
    "[8, inf)": "options.image_size",
    "[1, inf)": """
        options.critic_layers options.filters options.heads options.block_length options.query_shape options.mixtures
        options.max_length
        options.critic_width options.blocks options.code_size options.n_generator options.bottleneck options.local_patch
        data.image_size data.batch_size mask.height mask.width mask.strokes mask.segments mask.shapes
        mask.boxes training.steps training.accumulation_steps training.steps_per_call training.log_every
        training.view_count training.checkpoint_every training.keep_checkpoints training.validation_count""",
    "[0, inf)": """
        options.attention_width options.flange options.temperature
        options.n_critic options.search_steps options.hole options.overlap options.prior_weight options.known_weight
        options.l1_weight options.coarse_l1_weight options.hole_l1_weight options.l2_weight options.hole_weight
        options.valid_weight options.pyramid_weight options.autoencoder_weight options.perceptual_weight
        options.style_weight options.total_variation_weight options.adversarial_weight options.global_weight
        options.penalty_weight options.l1_known_weight options.l1_missing_weight options.r1_weight
        options.feature_matching_weight options.fine_tune_from options.completion_steps
        options.discriminator_steps data.shorter_side mask.max_delta_height
        mask.max_delta_width mask.vertical_margin mask.horizontal_margin optimizer.clip_norm optimizer.decay_every
        optimizer.decay_until optimizer.warmup_steps training.epochs training.view_every training.validate_every""",
    "[-1, inf)": "data.parallel_calls",
    "(0, inf)": """
        data.zoom options.search_rate optimizer.learning_rate optimizer.discriminator_learning_rate
        optimizer.epsilon""",
    "[0, 1]": "options.mean data.edges_drop data.max_broken_fraction mask.noise_fraction",
    "(0, 1]": "options.discount_gamma mask.shape_radius optimizer.decay_rate",
    "[0, 1)": "optimizer.beta1 optimizer.beta2 optimizer.rho training.ema_decay options.dropout",
    "[0, 0.5]": "data.colour_jitter",
    "(0, 0.5)": "mask.border",
    "(0, 1)": "options.global_ratio",
    "[0, 90]": "mask.stroke_angle mask.stroke_angle_spread mask.turn",
    "[0, 255]": "options.hole_fill",
    "[0, 2147483647]": "training.seed options.seed",
}
_MOST = {  # far more than any machine can do, and few enough for TensorFlow's whole numbers
    14: "options.depth options.critic_layers",
    10_000: "training.steps_per_call options.n_critic options.n_generator options.blocks mask.strokes mask.segments",
    16_384: """
        options.filters options.heads options.block_length options.query_shape options.mixtures options.max_length
        options.attention_width options.flange
        options.width options.critic_width options.image_size options.code_size options.bottleneck options.local_patch
        options.overlap options.search_steps data.image_size data.shorter_side data.batch_size data.parallel_calls
        options.hole training.accumulation_steps training.view_count mask.height mask.width mask.brush_width
        mask.shapes mask.boxes mask.max_delta_height mask.max_delta_width mask.vertical_margin
        mask.horizontal_margin""",
    10**12: """
        options.fine_tune_from options.completion_steps options.discriminator_steps
        training.steps training.epochs training.log_every training.view_every
        training.checkpoint_every training.keep_checkpoints training.validate_every training.validation_count
        optimizer.decay_every optimizer.decay_until optimizer.warmup_steps""",
}
MOST = {key: most for most, keys in _MOST.items() for key in keys.split()}
_LARGEST_FLOAT = 1e30  # of float32, in which networks compute, with room for a sum
_LARGEST_BATCH = 1 << 40  # bytes
_ENDS = {
    "[": (operator.ge, "at least"),
    "(": (operator.gt, "above"),
    "]": (operator.le, "at most"),
    ")": (operator.lt, "below"),
}
RANGES = {key: interval for interval, keys in _KEYS.items() for key in keys.split()}


def check(config) -> None:
    """Raise InputError, naming the keys, if a value is out of its range or two values do not go together."""
    from tf_inpaint.recipes import RECIPES

    if config.name in ("", ".", "..") or set(config.name) & set("/\\\0"):
        raise InputError(f"name must be the name of a folder, not {config.name!r}; put a path into training.run_folder")
    _check_choice("recipe", config.recipe, RECIPES)
    check_ranges(config)
    _check_data(config.data, config.training)
    _check_mask(config.mask, config.data.image_size)
    _check_edges(config)
    if config.training.validate_every and not RECIPES[config.recipe].measured_in_training:
        raise InputError(
            f"training.validate_every must be 0 with recipe: {config.recipe}, which searches long for a completion: "
            "python -m tf_inpaint.evaluate measures them"
        )
    _check_optimizer(config.optimizer, config.training)
    RECIPES[config.recipe].check(config.options, config.data.image_size, config.mask)


def _check_choice(key, value, allowed):
    try:
        convert(value, Literal[tuple(allowed)])
    except TypeError as error:
        raise InputError(f"{key} {error}") from None


def check_ranges(config) -> None:
    """Raise InputError if a value is out of its range."""
    for key, value in flatten(to_plain(config)).items():
        limits = _limits(RANGES[key]) if key in RANGES else []
        for number in value if isinstance(value, list) else [value]:
            if number is not None and not all(holds(number, bound) for holds, _, bound in limits):  # a NaN is nowhere
                words = " and ".join(f"{words} {bound:g}" for _, words, bound in limits if bound < float("inf"))
                raise InputError(f"{key} must be {words}, not {show(number)}")
            most = MOST.get(key, _LARGEST_FLOAT)
            if isinstance(number, (int, float)) and not -most <= number <= most:
                raise InputError(f"{key} must be at most {most:,}, or it cannot run, not {show(number)}")


def _limits(interval):
    """(comparison, its words, bound) of both ends of an interval such as "[0, 1)"."""
    low, high = interval[1:-1].split(", ")
    return (*_ENDS[interval[0]], float(low)), (*_ENDS[interval[-1]], float(high))


def _check_data(data, training):
    if data.parallel_calls == 0:
        raise InputError("data.parallel_calls must be -1 (automatic) or at least 1, not 0")
    if data.batch_size % training.accumulation_steps:
        raise InputError(
            f"data.batch_size must be a multiple of training.accumulation_steps, and {data.batch_size} is none of "
            f"{training.accumulation_steps}"
        )
    height, width = data.image_size
    if 12 * height * width * data.batch_size > _LARGEST_BATCH:  # bytes of three channels in float32
        raise InputError(
            f"data.batch_size {data.batch_size} of data.image_size {height} x {width} takes more than "
            f"{_LARGEST_BATCH >> 40} TiB for its images alone"
        )
    if data.shorter_side and data.fit != "crop":
        raise InputError(f"data.shorter_side needs data.fit: crop, not {data.fit}; 0 leaves images as they are")
    if data.zoom[0] > data.zoom[1]:
        raise InputError("data.zoom must be [least, greatest], not [{:g}, {:g}]".format(*data.zoom))
    if data.zoom != (1.0, 1.0) and not data.shorter_side:
        raise InputError("data.zoom needs data.shorter_side, the size it enlarges; [1, 1] leaves images as they are")
    if training.init_optimizer and not training.init_from:
        raise InputError("training.init_optimizer needs training.init_from, a checkpoint with an optimizer in it")
    if training.validate_every and not data.validation:
        raise InputError("training.validate_every needs images in data.validation, which is empty")


def _check_edges(config):
    guided, edges = config.options.guided, config.data.edges
    if guided and edges == "none":
        kinds = "paired, canny, hed or landmarks"
        raise InputError(f"data.edges must be {kinds} with options.guided: true, which reads edges")
    if not guided and edges != "none":
        raise InputError(f"data.edges must be none, not {edges}, unless a recipe reads edges (options.guided: true)")
    if config.data.edges_folder and edges != "paired":
        raise InputError(f"data.edges_folder works with data.edges: paired only, not with {edges}")
    if edges == "none" and config.data.edges_drop:
        raise InputError("data.edges_drop must be 0 without edges (data.edges: none)")


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
    for key in ("boxes", "strokes", "segments", "brush_width", "shapes", "shape_radius", "noise_fraction"):
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
    for key, unused in (("decay_rate", 1.0), ("decay_until", 0)):
        if optimizer.schedule != "step" and getattr(optimizer, key) != unused:
            raise InputError(f"optimizer.{key} works with optimizer.schedule: step only, not with {optimizer.schedule}")
    if optimizer.warmup_steps >= training.steps and not training.epochs:  # the steps follow when images are counted
        raise InputError(
            f"optimizer.warmup_steps must be below training.steps, not {optimizer.warmup_steps} of {training.steps}"
        )
