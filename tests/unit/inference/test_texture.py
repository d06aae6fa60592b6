"""The memory that textures are said to take."""

import numpy as np
import pytest

from tf_inpaint.inference.texture import redrawing_memory


@pytest.mark.parametrize(
    "side, hole, megabytes",  # measured, of a square hole in a square image
    [(400, 200, 149), (700, 400, 559), (770, 600, 1238), (1000, 700, 544), (1540, 1200, 1440), (2048, 1400, 840)],
)
def test_memory_is_estimated_a_little_above_what_was_measured(side, hole, megabytes):
    mask, first = np.zeros((side, side), bool), (side - hole) // 2
    mask[first : first + hole, first : first + hole] = True
    assert 1 < redrawing_memory(mask) / 2**20 / megabytes < 1.4


def test_holes_far_apart_are_drawn_one_after_the_other_and_take_the_memory_of_the_largest():
    mask = np.zeros((600, 2000), bool)
    mask[200:400, 100:300] = True
    alone = redrawing_memory(mask)
    mask[250:300, 1500:1600] = True
    assert redrawing_memory(mask) == alone > redrawing_memory(mask[:, 1000:]) > 0
    mask[250:300, 300:1500] = True
    assert redrawing_memory(mask) > alone
    assert redrawing_memory(np.zeros((64, 64), bool)) == 0
