"""What LaMa's `config.yaml`, which its release puts beside the folder of its weights, says of them."""

from __future__ import annotations

import os

import yaml

from tf_inpaint.errors import InputError

_LONGEST = 1 << 20  # bytes; the released one has 4,000
_KINDS = {"ffc_resnet": "fourier", "pix2pixhd_global": "regular", "pix2pixhd_multidilated": "dilated"}
_TOLD = {  # what weights tell as well: key of the file -> option of ours
    "generator.kind": "kind",
    "generator.ngf": "width",
    "generator.n_blocks": "blocks",
    "generator.resnet_conv_kwargs.ratio_gin": "global_ratio",
    "discriminator.ndf": "critic_width",
}
_NEEDED = {  # what no weight tells, and what it must be for this project to compute the same
    "generator.add_out_act": "sigmoid",
    "generator.padding_type": "reflect",
    "training_model.concat_mask": True,
}


def config_of_release(path: str) -> str | None:
    """The config.yaml beside a release's file, or beside its folder `models`; None where there is none."""
    folder = os.path.dirname(os.path.abspath(path))
    folders = [folder, os.path.dirname(folder)] if os.path.basename(folder) == "models" else [folder]
    files = [os.path.join(folder, "config.yaml") for folder in folders]
    return next((file for file in files if os.path.isfile(file)), None)


def compare_config(file: str, options) -> list[str]:
    """What a config.yaml says otherwise than the weights do, a sentence each.

    Args:
        file: the config.yaml.
        options: of the recipe, as the weights' shapes tell them.
    Raises:
        InputError: if it says that the network computes what this project's does not.
    """
    try:
        with open(file, encoding="utf-8") as stream:
            config = yaml.safe_load(stream.read(_LONGEST))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return [f"{file} cannot be read, and is passed over"]
    notes = []
    for key, needed in _NEEDED.items():
        said = _value(config, key)
        if said not in (None, needed):
            raise InputError(f"{file} says {key}: {said}, but this project's network has {needed} alone")
    for key, option in _TOLD.items():
        said = _value(config, key)
        said = _KINDS.get(said, said) if option == "kind" else said
        if said is not None and option in options and said != options[option]:
            notes.append(f"{file} says {key}: {said}, but its weights are of {options[option]}, which counts")
    return notes


def _value(config, key):
    """What a file says under a path of keys; None for nothing, and for what refers to another key or is none value."""
    for part in key.split("."):
        config = config.get(part) if isinstance(config, dict) else None
    refers = isinstance(config, str) and config.startswith("${")
    return config if isinstance(config, (str, int, float)) and not refers else None
