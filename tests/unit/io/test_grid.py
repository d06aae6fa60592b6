"""Where images stand in a grid."""

import numpy as np

from tf_inpaint.io.grid import image_grid, titled_grid


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


def test_titles_stand_left_of_their_rows():
    rows = {"real": np.full([3, 16, 16, 3], 9, np.uint8), "generated": np.full([3, 16, 16, 3], 19, np.uint8)}
    sheet = titled_grid(rows)
    grid = image_grid(list(rows.values()))
    margin = sheet.shape[1] - grid.shape[1]
    assert (sheet[:, margin:] == grid).all()
    upper, lower = sheet[:16, :margin] < 128, sheet[20:, :margin] < 128
    assert 0 < upper.sum() < lower.sum() and not (sheet[16:20, :margin] < 128).any()
