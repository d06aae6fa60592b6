"""Order, crops, flips, masks and seeds are functions of (seed, position); what cannot be read never shifts them."""

import dataclasses
import logging

import numpy as np
import pytest
import tensorflow as tf
from example_batches import MASK, image_data, joined, take, validation_batch
from PIL import Image, ImageOps

from tf_inpaint.data import reader as reading
from tf_inpaint.data.reader import explained_errors
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import read_image
from tf_inpaint.io.listing import list_files
from tf_inpaint.ops.images import to_uint8
from tf_inpaint.ops.masks import MASKS


def _photo(height=40, width=56, seed=0):
    """Smooth enough for JPEG, different everywhere."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.BICUBIC))


def _folder(path, count=7):
    """Images of one level each, 10 * number, by which a batch tells which files it holds."""
    path.mkdir(exist_ok=True)
    for number in range(count):
        Image.new("RGB", (40 + number, 36), (10 * number,) * 3).save(path / f"{number}.png")
    return path


@pytest.fixture
def folder(tmp_path):
    return _folder(tmp_path / "photos")


def _assert_equal(one, other):
    for name in ("image", "mask", "seed"):
        np.testing.assert_array_equal(one[name], other[name])


def _files(batches):
    """Number of the file of each example of a folder made by `_folder`."""
    levels = to_uint8(joined(batches)["image"]).numpy()
    assert (levels == levels[:, :1, :1, :1]).all()
    return (levels[:, 0, 0, 0] // 10).tolist()


def test_a_batch_is_what_the_contract_says(folder):
    (batch,) = take(image_data(folder).dataset(0, 3), 1)
    assert {name: (value.shape, value.dtype.name) for name, value in batch.items()} == {
        "image": ((3, 32, 32, 3), "float32"),
        "mask": ((3, 32, 32, 1), "float32"),
        "seed": ((3, 2), "int32"),
    }
    assert batch["image"].min() >= -1 and batch["image"].max() <= 1 and set(np.unique(batch["mask"])) == {0, 1}
    spec = image_data(folder).dataset(0, 3).element_spec
    assert spec["image"].shape == (3, 32, 32, 3)


@pytest.fixture
def masks(tmp_path):
    """Two mask files: left half and upper half."""
    (tmp_path / "masks").mkdir()
    for name, hole in (("left.png", np.s_[:, :10]), ("upper.png", np.s_[:10])):
        mask = np.zeros((20, 20), np.uint8)
        mask[hole] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / name)
    return tmp_path / "masks"


EVERY_KIND = (*MASKS, "files")


def _mix(masks, kinds=EVERY_KIND, **options):
    mix = tuple((kind, 1.0) for kind in kinds)
    return dataclasses.replace(MASK, kind="mix", mix=mix, brush_width=(2.0, 6.0), files=str(masks), **options)


@pytest.mark.parametrize("kinds, per_batch", [(EVERY_KIND, False), (("box", "files"), True)])
def test_every_kind_of_mask_belongs_to_its_position(folder, masks, kinds, per_batch):
    data = image_data(folder, _mix(masks, kinds, per_batch=per_batch))
    expected = take(data.dataset(0, 4), 8)
    two_replicas = take(data.dataset(2, 4, replicas_per_pipeline=2), 12)
    for b, batch in enumerate(expected[2:]):
        _assert_equal(batch, joined(two_replicas[2 * b : 2 * b + 2]))
    for batch in expected:
        assert len({mask.tobytes() for mask in batch["mask"]}) == 1 if per_batch else batch["mask"].std(0).any()
    assert len({batch["mask"].tobytes() for batch in expected}) > 4


def test_useless_masks_are_reported_with_the_images(folder, masks):
    Image.new("L", (20, 20)).save(masks / "empty.png")
    options = dataclasses.replace(MASK, kind="files", files=str(masks))
    data = image_data(folder, options)
    with explained_errors(data):
        assert set(joined(take(data.dataset(0, 8), 4))["mask"].mean((1, 2, 3))) == {0.5}
    ((file, reason),) = data.broken
    assert file.endswith("empty.png") and reason == "is all known as a mask"
    data = image_data(folder, options, max_broken_fraction=0.1)
    with pytest.raises(InputError, match="1 of 3 files of mask.files cannot be read"), explained_errors(data):
        take(data.dataset(0, 8), 4)


@pytest.mark.parametrize("per_batch", [False, True])
def test_every_number_of_replicas_sees_the_same_global_batches(folder, per_batch):
    data = image_data(folder, dataclasses.replace(MASK, per_batch=per_batch))
    expected = take(data.dataset(2, 4), 4)
    for workers, replicas in ((1, 2), (2, 1), (2, 2)):
        taken = [take(data.dataset(2, 4, worker, workers, replicas), 4 * replicas) for worker in range(workers)]
        for b, batch in enumerate(expected):
            shards = [shard for of_worker in taken for shard in of_worker[replicas * b : replicas * (b + 1)]]
            _assert_equal(batch, joined(shards))


def test_a_strategy_hands_each_replica_its_shard(folder):
    data = image_data(folder)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

    def make(context):
        return data.dataset(1, 4, context.input_pipeline_id, context.num_input_pipelines, strategy.num_replicas_in_sync)

    batches = iter(strategy.distribute_datasets_from_function(make))
    for expected in take(data.dataset(1, 4), 3):
        shards = {name: strategy.experimental_local_results(value) for name, value in next(batches).items()}
        _assert_equal(expected, {name: np.concatenate(value) for name, value in shards.items()})


def test_starting_at_a_batch_is_going_on_from_there(folder):
    data = image_data(folder)
    whole = take(data.dataset(0, 3), 9)
    for first in (1, 8):
        for expected, found in zip(whole[first:], take(data.dataset(first, 3), 9 - first)):
            _assert_equal(expected, found)
    again = take(image_data(folder, parallel_calls=1).dataset(0, 3), 9)
    _assert_equal(joined(whole), joined(again))


def test_starting_far_out_costs_nothing(folder):
    far = 2**33
    _assert_equal(take(image_data(folder).dataset(far, 3), 2)[1], take(image_data(folder).dataset(far + 1, 3), 1)[0])


def test_an_epoch_holds_each_file_once_and_no_two_are_alike(folder):
    files = _files(take(image_data(folder).dataset(0, 7), 30))
    epochs = [tuple(files[start : start + 7]) for start in range(0, len(files), 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len(set(epochs)) > 25
    first = np.bincount([epoch[0] for epoch in epochs], minlength=7)
    assert first.max() <= 12  # of 30, about 4 each


def test_another_seed_is_another_run(folder):
    one, other = (joined(take(image_data(folder, seed=seed).dataset(0, 7), 2)) for seed in (0, 1))
    for name in ("image", "mask", "seed"):
        assert not np.array_equal(one[name], other[name])


def test_seeds_belong_to_examples(folder):
    seeds = joined(take(image_data(folder).dataset(0, 8), 16))["seed"]
    assert len({tuple(seed) for seed in seeds}) == 128
    assert 0.3 < (seeds > 0).mean() < 0.7


def test_one_mask_per_batch_or_one_per_image(folder):
    apart = take(image_data(folder).dataset(0, 8), 3)
    together = take(image_data(folder, dataclasses.replace(MASK, per_batch=True)).dataset(0, 8), 3)
    assert all(len({mask.tobytes() for mask in batch["mask"]}) > 4 for batch in apart)
    assert all(len({mask.tobytes() for mask in batch["mask"]}) == 1 for batch in together)
    assert len({batch["mask"][0].tobytes() for batch in together}) == 3


def test_masks_lie_everywhere(folder):
    masks = joined(take(image_data(folder).dataset(0, 50), 12))["mask"][..., 0]
    heights, widths = masks.max(axis=2).sum(axis=1), masks.max(axis=1).sum(axis=1)
    assert set(heights) == {8, 10, 12} and set(widths) == {12, 14, 16}
    centres = np.array([[where.mean() for where in np.nonzero(mask)] for mask in masks]) / 31
    assert abs(centres.mean(axis=0) - 0.5).max() < 0.03
    assert abs(np.corrcoef(centres.T)[0, 1]) < 0.15
    assert centres.min() < 0.27 and centres.max() > 0.73


def _single(path, photo, **options):
    path.mkdir()
    Image.fromarray(photo).save(path / "a.png")
    return image_data(path, **options)


def test_crops_are_boxes_of_the_image(tmp_path):
    photo = np.zeros((40, 56, 3), np.uint8)
    photo[:, :, 0], photo[:, :, 1] = np.arange(40)[:, np.newaxis], np.arange(56)
    data = _single(tmp_path / "a", photo, fit="crop", flip=False)
    corners = set()
    for image in to_uint8(joined(take(data.dataset(0, 50), 6))["image"]).numpy():
        top, left = image[0, 0, :2]
        np.testing.assert_array_equal(image, photo[top : top + 32, left : left + 32])
        corners.add((top, left))
    assert {top for top, _ in corners} == set(range(9)) and {left for _, left in corners} == set(range(25))


def test_zoomed_images_are_seen_at_all_scales_between(tmp_path):
    photo = np.zeros((48, 64, 3), np.uint8)
    photo[:] = np.arange(64)[:, np.newaxis].astype(np.uint8) * 3  # a ramp: its slope tells the scale
    data = _single(tmp_path / "a", photo, fit="crop", shorter_side=48, zoom=(1.0, 3.0), flip=False)
    images = joined(take(data.dataset(0, 100), 3))["image"][..., 0]
    scales = 3 / (127.5 * (images[:, 16, 24] - images[:, 16, 8]) / 16)
    assert 0.99 < scales.min() < 1.1 and 2.7 < scales.max() < 3.01
    assert 0.4 < (scales < np.sqrt(3)).mean() < 0.6  # evenly by the logarithm


def test_half_of_the_images_are_mirrored(tmp_path):
    photo = np.tile(np.arange(32, dtype=np.uint8)[:, np.newaxis], (32, 1, 3))
    data = _single(tmp_path / "a", photo, fit="crop", flip=True)
    images = to_uint8(joined(take(data.dataset(0, 50), 4))["image"]).numpy()
    flipped = images[:, 0, 0, 0] == 31
    np.testing.assert_array_equal(images[flipped], np.broadcast_to(photo[:, ::-1], (flipped.sum(), 32, 32, 3)))
    np.testing.assert_array_equal(images[~flipped], np.broadcast_to(photo, ((~flipped).sum(), 32, 32, 3)))
    assert 0.35 < flipped.mean() < 0.65


@pytest.mark.parametrize("fit", ["crop", "resize_crop", "resize"])
def test_small_images_are_enlarged_to_cover(tmp_path, fit):
    data = _single(tmp_path / "a", _photo(10, 50), fit=fit, image_size=(32, 24), flip=False)
    view = validation_batch(data, 1)
    whole = tf.image.resize(_photo(10, 50), (32, 24) if fit == "resize" else (32, 160), antialias=True).numpy()
    left = (whole.shape[1] - 24) // 2
    np.testing.assert_allclose(view["image"][0], whole[:, left : left + 24] / 127.5 - 1, atol=1e-5)


def test_resize_crop_just_covers_and_averages(tmp_path):
    photo = np.zeros((64, 96, 3), np.uint8)
    photo[::2] = 255  # without averaging, some rows would stay black or white
    data = _single(tmp_path / "a", photo, fit="resize_crop", flip=False)
    image = take(data.dataset(0, 1), 1)[0]["image"][0]
    assert abs(image[2:-2]).max() < 0.05


# Formats


def test_formats_are_read_as_by_pillow(tmp_path):
    photo = Image.fromarray(_photo())
    levels = photo.convert("L")
    ramp = np.linspace(0, 255, 40 * 56).astype(np.uint8).reshape(40, 56)
    clear = photo.copy()
    clear.putalpha(Image.fromarray(ramp))
    for name, image, options in (
        ("photo.jpg", photo, {"quality": 90}),
        ("progressive.jpg", photo, {"progressive": True}),
        ("grey.jpg", levels, {}),
        ("cmyk.jpg", photo.convert("CMYK"), {}),
        ("photo.png", photo, {}),
        ("grey.png", levels, {}),
        ("palette.png", photo.quantize(32), {}),
        ("palette_with_alpha.png", photo.quantize(32), {"transparency": 3}),
        ("with_alpha.png", clear, {}),
        ("16_bits.png", Image.fromarray(ramp.astype(np.uint16) * 257 + 9), {}),
        ("1_bit.png", levels.convert("1"), {}),
        ("photo.bmp", photo, {}),
        ("palette.bmp", photo.quantize(32), {}),
        ("palette.gif", photo.quantize(32), {}),
        ("photo.webp", photo, {}),
        ("photo.tif", photo, {}),
        ("is_png.jpg", photo, {"format": "PNG"}),
    ):
        image.save(tmp_path / name, **options)
    data = image_data(tmp_path, fit="crop", image_size=(40, 56))
    for file, image in zip(list_files(str(tmp_path)), to_uint8(validation_batch(data, 99)["image"]).numpy()):
        difference = abs(image.astype(int) - read_image(file).rgb).max()
        assert difference <= (3 if file.endswith(".jpg") and "is_png" not in file else 0), file
    assert data.broken == [] and data.failure is None


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("L", (40, 40), level) for level in (40, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (to_uint8(validation_batch(image_data(tmp_path), 1)["image"]).numpy() == 40).all()


def test_orientation_is_that_of_pillow(tmp_path):
    photo = Image.fromarray(_photo(48, 48))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x010F], exif[0x0112], exif[0x0132] = "a maker with a * in its name", orientation, "2020:01:01 00:00:00"
        for kind in ("jpg", "png", "webp"):
            photo.save(tmp_path / f"{orientation}.{kind}", exif=exif)
    views = validation_batch(image_data(tmp_path, fit="crop", image_size=(48, 48)), 24)
    for file, found in zip(list_files(str(tmp_path)), to_uint8(views["image"]).numpy()):
        with Image.open(file) as image:
            expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        assert abs(found.astype(int) - expected).max() <= (3 if file.endswith("jpg") else 0), file


def test_lying_and_standing_change_places(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(_photo(40, 56)).save(tmp_path / "a.png", exif=exif)
    image = validation_batch(image_data(tmp_path, fit="crop", image_size=(56, 40)), 1)["image"][0]
    np.testing.assert_array_equal(to_uint8(image), np.rot90(_photo(40, 56), -1))


# Files that cannot be read


def _spoil(folder, truncated=(), text=()):
    for number in truncated:
        path = folder / f"{number}.png"
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (36, 40, 3), dtype=np.uint8)).save(path, "JPEG")
        path.write_bytes(path.read_bytes()[:1500])
    for number in text:
        (folder / f"{number}.png").write_text("this is no image")


def test_the_next_of_the_epoch_takes_the_place_of_a_broken_file(tmp_path, caplog):
    clean = image_data(_folder(tmp_path / "clean"))
    good = _folder(tmp_path / "spoiled")
    _spoil(good, truncated=[2, 5], text=[6])
    with caplog.at_level(logging.WARNING):
        spoiled = image_data(good)
        assert [(file[-5:], reason[:15]) for file, reason in spoiled.broken] == [("6.png", "is not an image")]
        expected, found = (take(data.dataset(0, 7), 8) for data in (clean, spoiled))
    order = np.reshape(_files(expected), [8, 7])
    readable = [[next(n for n in [*epoch[i:], *epoch[:i]] if n not in (2, 5, 6)) for i in range(7)] for epoch in order]
    np.testing.assert_array_equal(np.reshape(_files(found), [8, 7]), readable)
    np.testing.assert_array_equal(joined(expected)["mask"], joined(found)["mask"])
    np.testing.assert_array_equal(joined(expected)["seed"], joined(found)["seed"])
    assert sorted(file[-5:] for file, _ in spoiled.broken) == ["2.png", "5.png", "6.png"]
    for name in ("2.png", "5.png", "6.png"):
        assert len([record for record in caplog.records if name in record.getMessage()]) == 1
    # The same places hold the same images wherever a run starts, and whoever met the broken files before.
    _assert_equal(found[3], take(image_data(good).dataset(3, 7), 1)[0])
    _assert_equal(found[3], take(spoiled.dataset(3, 7), 1)[0])


def test_order_holds_when_every_other_file_is_read_by_python(tmp_path):
    plain, mixed = _folder(tmp_path / "plain", 12), _folder(tmp_path / "mixed", 12)
    for path in sorted(mixed.iterdir())[1::2]:
        Image.open(path).save(path.with_suffix(".webp"))
        path.unlink()
    mixed, plain = image_data(mixed, parallel_calls=3), image_data(plain, parallel_calls=1)
    expected, found = (joined(take(data.dataset(0, 6), 12))["image"] for data in (plain, mixed))
    assert abs(expected - found).max() < 0.04  # WebP is lossy


def test_too_many_broken_files_stop_at_the_start(folder):
    _spoil(folder, text=[1, 3])
    assert len(image_data(folder, max_broken_fraction=2 / 7).broken) == 2
    message = r"2 of 7 files of data.train cannot be read, more than data.max_broken_fraction 0.2: .*1.png is not"
    with pytest.raises(InputError, match=message):
        image_data(folder, max_broken_fraction=0.2)
    with pytest.raises(InputError, match="1 of 7 files of data.validation"):
        _spoil(folder, text=[1])
        clean = _folder(folder.parent / "clean")
        (folder / "3.png").write_bytes((clean / "3.png").read_bytes())
        image_data(clean, validation=str(folder), max_broken_fraction=0.1)


def test_too_many_broken_files_stop_on_the_way(folder):
    _spoil(folder, truncated=[1, 3])
    data = image_data(folder, max_broken_fraction=0.2)
    assert data.broken == [] and data.failure is None
    with pytest.raises(InputError, match="2 of 7 files of data.train cannot be read") as caught:
        with explained_errors(data):
            take(data.dataset(0, 7), 1)
    assert caught.value is data.failure and len(data.broken) == 2


def test_a_folder_without_any_good_file_stops(folder):
    _spoil(folder, text=range(7))
    with pytest.raises(InputError, match="none of the 7 files of data.train can be read"):
        image_data(folder, max_broken_fraction=1.0)


def test_other_errors_stay_what_they_are(folder):
    with pytest.raises(tf.errors.InvalidArgumentError):
        with explained_errors(image_data(folder)):
            tf.io.decode_jpeg(b"no")


def test_very_many_files_are_sampled_at_the_start(folder, monkeypatch):
    looked_at = []
    monkeypatch.setattr(reading, "CHECKED_AT_START", 3)
    monkeypatch.setattr(reading, "check_image", lambda path: looked_at.append(path[-5:]))
    _spoil(folder, text=[3])
    data = image_data(folder)
    assert sorted(looked_at) == ["0.png", "2.png", "4.png"]
    assert 3 not in _files(take(data.dataset(0, 7), 1)) and len(data.broken) == 1


def test_a_file_refused_at_the_start_is_not_used_though_tensorflow_could(folder, monkeypatch):
    def refuse(path):
        if path.endswith("3.png"):
            raise InputError(f"{path} is 9 x 9, over the limit")

    monkeypatch.setattr(reading, "check_image", refuse)
    assert 3 not in _files(take(image_data(folder).dataset(0, 7), 1))


# Views and validation


def test_validation_is_the_same_whenever_it_is_asked(tmp_path, folder):
    views = _folder(tmp_path / "views", count=5)
    data = image_data(folder, dataclasses.replace(MASK, per_batch=True), validation=str(views))
    first = take(data.validation(4, 3), 9)
    assert [len(batch["image"]) for batch in first] == [3, 1]
    assert _files(first) == [0, 1, 2, 3]
    take(data.dataset(0, 4), 3)
    fixed = validation_batch(data, 4)
    _assert_equal(joined(first), fixed)
    assert len({mask.tobytes() for mask in fixed["mask"]}) == 4
    assert not np.array_equal(fixed["mask"], joined(take(data.dataset(0, 4), 1))["mask"])
    assert _files(take(data.validation(99, 99), 9)) == [0, 1, 2, 3, 4]
    assert _files(take(data.validation(2, 2), 9)) == [0, 2]


def test_views_are_the_centre_and_not_mirrored(tmp_path):
    photo = _photo(40, 56)
    data = _single(tmp_path / "a", photo, fit="crop")
    np.testing.assert_array_equal(to_uint8(validation_batch(data, 8)["image"][0]), photo[4:36, 12:44])


def test_views_skip_broken_files(tmp_path, folder):
    _spoil(folder, truncated=[0, 6])
    data = image_data(folder)
    assert _files(take(data.validation(7, 7), 1)) == [1, 1, 2, 3, 4, 5, 1]


# Use


def test_a_batch_must_divide(folder):
    with pytest.raises(InputError, match="a batch of 4 images cannot be divided evenly among 3 replicas"):
        image_data(folder).dataset(0, 4, replicas_per_pipeline=3)
    with pytest.raises(ValueError, match="`first_batch` .* Received: -1"):
        image_data(folder).dataset(-1, 4)
    with pytest.raises(ValueError, match="`input_pipeline_id` .* Received: 2"):
        image_data(folder).dataset(0, 4, input_pipeline_id=2, num_input_pipelines=2)


def test_no_images_named(folder):
    with pytest.raises(InputError, match="no images are named"):
        image_data("")


@pytest.mark.parametrize("edges, kinds", [("none", EVERY_KIND), ("paired", ("files",)), ("canny", ("files",))])
def test_deterministic_operations_leave_reading_parallel(folder, masks, edges, kinds):
    """TensorFlow would run a pipeline with any other stateful operation in its functions one element at a time."""
    from tensorflow.python.framework import op_def_registry

    for number in range(7):
        Image.new("L", (40 + number, 36)).save(folder / f"{number}_edge.png")
    ignore = tf.data.experimental.ExternalStatePolicy.IGNORE
    graph = tf.compat.v1.GraphDef()
    pipeline = image_data(folder, _mix(masks, kinds), edges=edges, edges_drop=0.5).dataset(0, 2)
    graph.ParseFromString(pipeline._as_serialized_graph(external_state_policy=ignore).numpy())
    nodes = {node.op for function in graph.library.function for node in function.node_def}
    definitions = [op_def_registry.get(name) for name in nodes]
    stateful = {definition.name for definition in definitions if definition is not None and definition.is_stateful}
    assert "PyFuncStateless" in nodes and stateful <= {"RangeDataset", "TensorSliceDataset"}
