"""Keras' own networks, from files of their weights."""

from __future__ import annotations

import re
from pathlib import Path

import tensorflow as tf

from tf_inpaint.errors import InputError, one_line

NETWORKS = {
    "vgg16": tf.keras.applications.VGG16,
    "vgg19": tf.keras.applications.VGG19,
    "inception_v3": tf.keras.applications.InceptionV3,
}
DOWNLOAD = "imagenet"


def load_application(network: str, weights, key: str, **options):
    """A network of Keras without its classifier, frozen.

    Args:
        network: key of `NETWORKS`.
        weights: "imagenet" for Keras' own, downloaded once; the path of an .h5 file of them ("notop"); None draws them.
        key: of the config, or the option, that says where the weights are, for messages.
        options: more of what Keras takes.
    Raises:
        InputError: if the weights cannot be had; the sentence names the key.
    """
    download = weights == DOWNLOAD
    if not download and weights is not None and not Path(weights).is_file():
        raise InputError(f"{key}: there is no file {weights}")
    try:
        found = NETWORKS[network](include_top=False, weights=weights and str(weights), **options)
    except Exception as error:  # h5py, Keras and networks raise half a dozen types, a bare Exception too
        reason = re.sub(r"\s+on\s+https?://\S+|https?://\S+", "", one_line(error))[:160].rstrip(" :")
        if download:
            what = f"the weights of {network} cannot be downloaded, set {key} to a file of them"
        else:
            what = f"{key}: {weights} does not hold the weights of {network} without top"
        raise InputError(f"{what} ({reason})") from error
    found.trainable = False
    return found
