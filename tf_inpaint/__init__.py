"""tf_inpaint: GAN image inpainting on TensorFlow 2 and Keras.

Public names are imported on first use, so that commands which need no TensorFlow start at once.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "Inpainter": "tf_inpaint.inference.inpainter",
    "load_config": "tf_inpaint.config",
    "InputError": "tf_inpaint.errors",
}
_SUBPACKAGES = ("layers", "losses", "models", "ops", "recipes")

__all__ = ["__version__", *_HOMES, *_SUBPACKAGES]


def __getattr__(name):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _SUBPACKAGES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
