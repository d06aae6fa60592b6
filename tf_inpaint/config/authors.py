"""The DeepFill authors' own inpaint.yml, translated: release 1's upper-case keys and release 2's lower-case ones.

Each key becomes one of ours, or is ignored with the reason, or, where it asks for something that does not exist here,
stops the run. What the release does without a key (one hole for a whole batch, no flips, one Adam count) is set
explicitly, so that the translated run is the release's.
"""

from __future__ import annotations

import difflib

from tf_inpaint.config.yaml import Document, dump
from tf_inpaint.errors import InputError

_SIGNATURE = {"img_shapes", "data_flist", "max_iters"}  # keys, lower-cased, that tell such a file from ours

_FACTS = {  # what no key says, by recipe
    "deepfill_v1": {
        "options.n_critic": 5,
        "mask.kind": "box",
        "mask.per_batch": True,
        "data.flip": False,
        "optimizer.learning_rate": 1e-4,
        "optimizer.beta1": 0.5,
        "optimizer.beta2": 0.9,
        "optimizer.shared_count": True,
    },
    "deepfill_v2": {
        "mask.kind": "union",
        "mask.release_strokes": True,
        "mask.per_batch": True,
        "data.flip": False,
        "optimizer.learning_rate": 1e-4,
        "optimizer.beta1": 0.5,
        "optimizer.beta2": 0.999,
        "optimizer.shared_count": True,
    },
}

_SAME = {  # values taken over as they are
    "name": "name",
    "pretrain_coarse_network": "options.pretrain_coarse",
    "padding": "options.padding",
    "gan_loss_alpha": "options.adversarial_weight",
    "gan_with_mask": "options.gan_with_mask",
    "wgan_gp_lambda": "options.penalty_weight",
    "coarse_l1_alpha": "options.coarse_l1_weight",
    "global_wgan_loss_alpha": "options.global_weight",
    "spatial_discounting_gamma": "options.discount_gamma",
    "width": "mask.width",
    "max_delta_height": "mask.max_delta_height",
    "max_delta_width": "mask.max_delta_width",
    "vertical_margin": "mask.vertical_margin",
    "horizontal_margin": "mask.horizontal_margin",
    "max_iters": "training.steps",
    "train_spe": "training.checkpoint_every",
    "val_psteps": "training.view_every",
    "static_view_size": "training.view_count",
}

_IGNORED = {
    "data_flist": "read through DATASET",
    "gpu_id": "choose GPUs with CUDA_VISIBLE_DEVICES",
    "gpu_type": "no scheduler is asked for a machine",
    "num_cpus_per_job": "set data.parallel_calls to limit decoding",
    "num_hosts_per_job": "a run stays on one machine",
    "memory_per_job": "no scheduler is asked for a machine",
    "random_seed": "every run is seeded, by training.seed",
    "viz_max_out": "views show fixed images, as many as training.view_count",
    "grads_summary": "gradients are not summarised",
    "gradient_clip_value": "read with GRADIENT_CLIP",
    "global_dcgan_loss_alpha": "of a loss that is not used",
    "feature_loss_alpha": "of a loss that is not used",
    "grams_loss_alpha": "of a loss that is not used",
    "tv_loss_alpha": "of a loss that is not used",
    "vgg_model_file": "of a loss that is not used",
}

_ONLY = {  # the one value that this project can follow, by recipe
    "deepfill_v1": {
        "gan": "wgan_gp",
        **dict.fromkeys(("load_vgg_model", "feature_loss", "grams_loss", "tv_loss"), False),
    },
    "deepfill_v2": {"gan": "sngan", "gan_with_mask": True, "edge_threshold": 0.6},
}

_COMPARED = {  # where this project sets what its other values name, of which the release has nothing
    "gan": "options.gan",
    "load_vgg_model": "options.perceptual_weight",
    "feature_loss": "options.perceptual_weight",
    "grams_loss": "options.style_weight",
    "tv_loss": "options.total_variation_weight",
}

_SWITCHED = {  # key that switches a loss: key of its weight, and ours; by recipe
    "deepfill_v1": {
        "l1_loss": ("l1_loss_alpha", "options.l1_weight"),
        "ae_loss": ("ae_loss_alpha", "options.autoencoder_weight"),
    },
    "deepfill_v2": {"ae_loss": ("l1_loss_alpha", "options.l1_weight")},
}

_IGNORED_IN_RELEASE_2 = {
    "discounted_mask": "its losses are not discounted",
    "l1_loss": "its one l1 is switched by ae_loss",
    "ae_loss_alpha": "its one l1 is weighted by l1_loss_alpha",
}


def is_authors(values: dict) -> bool:
    """Whether a file's values are such a configuration rather than one of ours."""
    return "recipe" not in values and any(key.lower() in _SIGNATURE for key in values)


def translate(document: Document) -> tuple[Document, list[str]]:
    """The authors' configuration in our keys.

    Args:
        document: a file for which `is_authors` holds.
    Returns:
        translated: our keys, each with the place of the authors' key it comes from, so that errors still lead there.
        lines: what became of each key: "MAX_ITERS: 1000 -> training.steps: 1000", "GPU_ID: 0 ignored (why)".
    Raises:
        InputError: if it asks for a loss or a data set that is not there.
    """
    recipe = "deepfill_v1" if any(key.isupper() for key in document.values) else "deepfill_v2"
    given = {key.lower(): value for key, value in document.values.items()}
    result, lines = Document(document.source, {}), []
    for target, value in {"recipe": recipe, **_FACTS[recipe]}.items():
        _set(result, target, value, document.source)
        lines.append(f"(the release itself) -> {target}: {_written(value)}")
    for key, value in document.values.items():
        shown = key if isinstance(value, dict) else f"{key}: {_written(value)}"
        try:
            outcome = _outcome(key.lower(), value, given, recipe)
        except InputError as error:
            raise document.error(f"{shown} {error}", key) from None
        if isinstance(outcome, str):
            lines.append(f"{shown} ignored ({outcome})")
            continue
        for target, translated in outcome.items():
            _set(result, target, translated, document.place(key))
            lines.append(f"{shown} -> {target}: {_written(translated)}")
    return result, lines


def _set(document, target, value, place):
    section, _, name = target.rpartition(".")
    (document.values.setdefault(section, {}) if section else document.values)[name] = value
    document.places[target] = place


def _written(value):
    return dump({"": value}).partition(": ")[2].strip()


def _outcome(word, value, given, recipe):
    """What becomes of one key: {our key: value}, or why it is ignored; InputError for what cannot be had."""
    release_1 = recipe == "deepfill_v1"
    only = _ONLY[recipe].get(word)
    if only is not None:
        if value != only:
            if release_1:
                ours = f"keep that, and set {_COMPARED[word]} by --set"
                raise InputError(f"is not translated, only {_written(only)} is: {ours}")
            raise InputError(f"has no counterpart here, only {_written(only)} has")
        return "the recipe does so anyway"
    if word in _IGNORED_IN_RELEASE_2 and not release_1:
        return _IGNORED_IN_RELEASE_2[word]
    for switch, (weight, ours) in _SWITCHED[recipe].items():
        if word == switch:
            return f"weighted by {weight.upper() if release_1 else weight}" if value else {ours: 0.0}
        if word == weight:
            return {ours: value} if given.get(switch, True) else f"{switch.upper() if release_1 else switch} is off"
    if word in _RULES:
        return _RULES[word](value, given, release_1)
    return {_SAME[word]: value} if word in _SAME else _IGNORED.get(word, "not known here")


# Keys that need a thought. Each function takes its value, all values by lower-cased key, and whether it is release 1.


def _dataset(name, given, release_1):
    lists = given.get("data_flist")
    known = [str(key) for key in lists] if isinstance(lists, dict) else []
    if str(name) not in known:
        near = difflib.get_close_matches(str(name), known, 1)
        guess = f", did you mean {near[0]}?" if near else f", which has {', '.join(known) or 'no data set'}"
        raise InputError(f"is not in DATA_FLIST{guess}")
    files = lists[str(name)]
    files = files if isinstance(files, list) else [files]
    validates = given.get("val") and len(files) > 1  # the release reads them only if VAL says so; they need not exist
    return {"data.train": files[0] if files else "", "data.validation": files[1] if validates else ""}


def _img_shapes(value, given, release_1):
    if not isinstance(value, list) or len(value) != 3 or value[2] != 3:
        raise InputError("must be [height, width, 3]")
    return {"data.image_size": value[:2]}


def _height(value, given, release_1):
    patch = {"options.local_patch": [value, given.get("width", 128)]}  # the local discriminator sees the box
    return {"mask.height": value, **(patch if release_1 else {})}


def _batch_size(value, given, release_1):
    return {"data.batch_size": value * _gpus(given) if isinstance(value, int) else value}  # theirs is that of one GPU


def _num_gpus(value, given, release_1):
    return {"training.strategy": "mirrored" if _gpus(given) > 1 else "one_device"}


def _gpus(given):
    count = given.get("num_gpus", given.get("num_gpus_per_job", 1))
    if type(count) is not int or count < 1:
        raise InputError(f"needs a whole number of GPUs, not {count}")
    return count


def _log_dir(value, given, release_1):
    return {"name" if release_1 and "/" not in str(value) else "training.run_folder": value}


def _model_restore(value, given, release_1):
    kept = value and release_1 and "/" not in str(value)  # release 1 keeps its runs in model_logs
    return {"training.init_from": f"model_logs/{value}" if kept else value}


_RULES = {
    "dataset": _dataset,
    "img_shapes": _img_shapes,
    "height": _height,
    "batch_size": _batch_size,
    "num_gpus": _num_gpus,
    "num_gpus_per_job": _num_gpus,
    "log_dir": _log_dir,
    "model_restore": _model_restore,
    "val": lambda value, given, _: {"training.validate_every": given.get("val_psteps", 1000) if value else 0},
    "random_crop": lambda value, *_: {"data.fit": "crop" if value else "resize"},
    "discounted_mask": lambda value, *_: {"options.discount": "box" if value else "none"},
    "gradient_clip": lambda value, given, _: {
        "optimizer.clip_norm": given.get("gradient_clip_value", 0.1) if value else 0.0
    },
    "guided": lambda value, *_: {"options.guided": value, "data.edges": "paired" if value else "none"},
}
