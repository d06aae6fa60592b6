"""Where images stand in a grid."""

import numpy as np

from tf_inpaint.io.grid import image_grid


def test_grid_has_a_row_for_each_list_and_a_column_for_each_image():
    rows = [np.full([3, 5, 7, 3], level, np.uint8) for level in (10, 20)]
    rows[1][2] = 99
    grid = image_grid(rows)
    assert grid.shape == (5 + 4 + 5, 3 * 7 + 2 * 4, 3)
    assert grid[0, 0, 0] == 10 and grid[-1, 0, 0] == 20 and grid[-1, -1, 0] == 99
    assert grid[6, 0, 0] == 255  # the gap


def test_smaller_images_and_shorter_rows_leave_background():
    grid = image_grid([[np.ones((2, 3), np.uint8), np.ones((1, 1), np.uint8)], [np.ones((2, 2), np.uint8)]], (2, 1), 0)
    assert grid.tolist() == [[1, 1, 1, 0, 1, 0, 0], [1, 1, 1] + [0] * 4, [0] * 7, [0] * 7, *[[1, 1] + [0] * 5] * 2]
