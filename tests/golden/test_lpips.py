"""LPIPS against the package `lpips` run by PyTorch, with networks of torchvision's layout drawn at random.

`data/lpips.npz` holds two images and others, the package's learnt weights, and its distances: of all, and by layer.
"""

from pathlib import Path

import numpy as np
import pytest

from tf_inpaint.features.lpips import Lpips
from tf_inpaint.ops.images import to_float

KERNELS = {
    "alex": {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)},
    "vgg": {
        **{0: (64, 3, 3, 3), 2: (64, 64, 3, 3), 5: (128, 64, 3, 3), 7: (128, 128, 3, 3)},
        **{10: (256, 128, 3, 3), 12: (256, 256, 3, 3), 14: (256, 256, 3, 3), 17: (512, 256, 3, 3)},
        **{index: (512, 512, 3, 3) for index in (19, 21, 24, 26, 28)},
    },
}


@pytest.mark.parametrize("network, seed", [("alex", 1), ("vgg", 2)])
def test_distances(network, seed, torch_save, tmp_path, agree):
    stored = np.load(Path(__file__).parent / "data" / "lpips.npz")
    draws, trunk = np.random.default_rng(seed), {}
    for index, shape in KERNELS[network].items():
        scale = np.float32((2.0 / np.prod(shape[1:])) ** 0.5)
        trunk[f"features.{index}.weight"] = draws.standard_normal(shape, dtype=np.float32) * scale
        trunk[f"features.{index}.bias"] = draws.standard_normal(shape[:1], dtype=np.float32) * np.float32(0.05)
    linear = {name: stored[f"{network}_{name}"] for name in (f"lin{layer}.model.1.weight" for layer in range(5))}
    files = torch_save(tmp_path / "trunk.pth", trunk), torch_save(tmp_path / "linear.pth", linear)
    lpips = Lpips(*files)
    assert lpips.network == network and not lpips.trainable_variables
    image, other = to_float(stored["image_u8"]), to_float(stored["other_u8"])
    found = lpips(image, other)
    agree("LPIPS, absolute", np.abs(found - stored[network]).max(), 1e-4)
    agree("LPIPS, relative", np.abs(found / stored[network] - 1.0).max(), 1e-4)
    np.testing.assert_allclose(lpips(image, image), 0.0, atol=1e-7)
