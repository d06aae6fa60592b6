"""LaMa's test masks: statistics of 2,000 by the original program against those of the protocols."""

import json

import numpy as np
import pytest

from tf_inpaint.evaluation.protocols import choose


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["thin_256", "medium_256", "thick_256", "thin_512", "medium_512", "thick_512"])
def test_areas(kind, reference, agree):
    stated = json.loads((reference / "lama" / "masks.json").read_text())[f"random_{kind}"]
    count = 300 if kind.endswith("256") else 150
    areas = np.array([choose(f"lama_{kind}").draw(index).mean() for index in range(count)])
    error = areas.std() * np.sqrt(1 / count + 1 / stated["samples"])
    difference = abs(areas.mean() - stated["accepted_area_mean"])
    agree("LaMa's test masks, mean area in standard errors", difference / error, 4)
    for quantile, area in zip(stated["quantiles"], stated["accepted_area_quantiles"]):
        if 0.1 <= quantile <= 0.9:
            agree("LaMa's test masks, quantiles of the area", abs(np.quantile(areas, quantile) - area), 0.06)
