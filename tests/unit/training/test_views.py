import numpy as np
import tensorflow as tf

from tf_inpaint.training.views import view_rows


def test_rows_from_holed_picture_to_truth():
    image = tf.ones([2, 8, 8, 3])
    mask = tf.pad(tf.ones([2, 4, 4, 1]), [[0, 0], [2, 2], [2, 2], [0, 0]])
    outputs = {"completed": image, "predicted": -image, "coarse": image * 0, "offsets": tf.zeros([2, 1, 1, 2])}
    rows = view_rows({"image": image, "mask": mask}, outputs)
    assert list(rows) == ["masked", "coarse", "predicted", "completed", "real"]
    assert rows["masked"][0, 4, 4, 0] == 128 and rows["masked"][0, 0, 0, 0] == 255
    assert rows["predicted"].max() == 0 and rows["coarse"].dtype == np.uint8


def test_the_sketch_is_drawn_into_the_hole():
    image, mask, edges = -tf.ones([1, 8, 8, 3]), np.zeros([1, 8, 8, 1], "f"), np.zeros([1, 8, 8, 1], "f")
    mask[:, :4], edges[:, :, 2] = 1, 1
    rows = view_rows({"image": image, "mask": mask, "edges": edges}, {"completed": image, "predicted": image})
    row = rows["masked"][0, ..., 0]
    assert (row[:4, 2] == 255).all() and (row[:4, 3] == 128).all() and (row[4:] == 0).all()


def test_recipes_without_a_coarse_stage_have_a_row_less():
    image = tf.ones([1, 8, 8, 3])
    outputs = {"completed": image, "predicted": image}
    assert "coarse" not in view_rows({"image": image, "mask": image[..., :1]}, outputs)


def test_a_network_that_sees_painted_holes_has_the_rows_of_its_papers_sheet():
    image = tf.ones([1, 8, 8, 3])
    outputs = {"completed": -image, "predicted": image, "context": image * 0}
    rows = view_rows({"image": image, "mask": image[..., :1]}, outputs)
    assert {name: row[0, 0, 0, 0] for name, row in rows.items()} == {"real": 255, "masked": 128, "generated": 0}
    assert list(rows) == ["real", "masked", "generated"]
