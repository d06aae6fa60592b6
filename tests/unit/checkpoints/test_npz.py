"""Weights in one file: what goes in comes out, and whatever else is a sentence."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tf_inpaint import export
from tf_inpaint.checkpoints import list_weights, open_checkpoint, shipped
from tf_inpaint.checkpoints.description import describe
from tf_inpaint.checkpoints.npz import About, read_about, read_weight_file, write_weight_file
from tf_inpaint.errors import InputError
from tf_inpaint.inference.inpainter import Inpainter
from tf_inpaint.inference.network import load_network
from tf_inpaint.models.weights import named_weights
from tf_inpaint.recipes import RECIPES, DeepFillV2Recipe

ABOUT = About("deepfill_v2", {"width": 4, "critic_width": 2}, 128, "tiny, for tests", 0.25, "patches", edges_drop=0.25)


@pytest.fixture(scope="module")
def recipe():
    recipe = DeepFillV2Recipe(DeepFillV2Recipe.Options(width=4, critic_width=2))
    recipe.build(64, 64)
    return recipe


def _write(path, recipe, about):
    write_weight_file(str(path), {name: w.numpy() for name, w in named_weights(recipe.generator).items()}, about)
    return str(path)


@pytest.fixture
def file(recipe, tmp_path):
    return _write(tmp_path / "shipped" / "tiny.npz", recipe, ABOUT)


@pytest.mark.parametrize("half", [True, False])
def test_what_goes_in_comes_out(tmp_path, half):
    path, weights = str(tmp_path / "w.npz"), {"a.kernel": np.float32([[1.5, -1 / 3]]), "a.bias": np.float32([2])}
    write_weight_file(path, weights, ABOUT, half)
    about, read = read_weight_file(path)
    assert about == read_about(path) == ABOUT and read.keys() == weights.keys()
    for name, value in read.items():
        np.testing.assert_array_equal(value, weights[name].astype(np.float16 if half else np.float32))
    assert [each.name for each in tmp_path.iterdir()] == ["w.npz"]


LATER = ["residuals", "texture", "edges_drop"]


@pytest.mark.parametrize("version, later", [(1, LATER), (2, LATER[1:]), (3, LATER[2:])])
def test_files_of_older_formats_lack_what_came_later(file, version, later):
    with np.load(file) as archive:
        arrays = dict(archive)
    notes = json.loads(arrays.pop("about.json").tobytes())
    assert notes["format"] == 4
    notes = {**{name: value for name, value in notes.items() if name not in later}, "format": version}
    np.savez(file, **arrays, **{"about.json": np.frombuffer(json.dumps(notes).encode(), np.uint8)})
    assert read_about(file) == ABOUT._replace(**{name: About._field_defaults[name] for name in later})


def test_a_texture_that_nobody_draws_is_refused(tmp_path):
    write_weight_file(str(tmp_path / "w.npz"), {"a": np.float32([1])}, ABOUT._replace(texture="oil"))
    with pytest.raises(InputError, match="w.npz.*its texture is impossible"):
        read_about(str(tmp_path / "w.npz"))


def test_what_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="w.npz cannot be written: .*file is not a folder"):
        write_weight_file(str(tmp_path / "file" / "w.npz"), {"a": np.float32([1])}, ABOUT)
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(InputError, match="a.variance has values too large for float16: keep float32"):
        write_weight_file(str(tmp_path / "w.npz"), {"a.variance": np.float32([7e4])}, ABOUT)
    assert not (tmp_path / "w.npz").exists()


@pytest.mark.slow
def test_an_inpainter_of_a_file_completes_as_the_network_does(file, recipe):
    draw = np.random.default_rng(0)
    image, mask = draw.integers(0, 256, [70, 90, 3]).astype(np.uint8), np.zeros([70, 90], bool)
    mask[20:40, 30:60] = True
    assert Inpainter.load(file).texture == "patches"
    loaded = Inpainter.load(file, texture="none")
    assert (loaded.trained_size, loaded.residuals, loaded.texture) == (128, 0.25, "none")
    assert Inpainter.load(file, residuals=0).residuals == 0
    difference = loaded.complete(image, mask).astype(int) - Inpainter.of(recipe, residuals=0.25).complete(image, mask)
    assert np.abs(difference).max() <= 1
    assert np.mean(difference != 0) < 0.01


def test_a_weight_file_keeps_what_suits_its_weights_and_what_a_command_says_instead(file, tmp_path):
    for options, kept in ([], (0.25, "patches")), (["--residuals=0.5", "--texture=none"], (0.5, "none")):
        export.main([f"--checkpoint_dir={file}", "--format=npz", f"--output={tmp_path / 'again.npz'}", *options])
        about = read_about(str(tmp_path / "again.npz"))
        assert (about.residuals, about.texture) == kept
    assert about.edges_drop == 0.25


@pytest.mark.parametrize(
    "name, options",
    [
        ("deepfill_v2", {"width": 4, "critic_width": 2, "guided": True}),
        ("deepfill_v1", {"width": 4, "critic_width": 2, "discount": "box", "local_patch": [32, 32]}),
    ],
)
def test_options_that_a_training_would_need_more_for_are_read(tmp_path, name, options):
    recipe = RECIPES[name](RECIPES[name].Options(**options))
    recipe.build(64, 64)
    path = _write(tmp_path / "w.npz", recipe, About(name, options, 64, ""))
    assert Inpainter.load(path).takes_edges == options.get("guided", False)


@pytest.mark.parametrize("options, said", [({"wide": 4}, "wide"), ({"width": -4}, "options.width must be")])
def test_options_that_no_network_has_are_a_sentence(recipe, tmp_path, options, said):
    path = _write(tmp_path / "w.npz", recipe, ABOUT._replace(options=options))
    with pytest.raises(InputError, match=said):
        Inpainter.load(path)


def test_shipped_weights_go_by_their_names(file, monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "_FOLDER", str(tmp_path / "shipped"))
    monkeypatch.setattr(shipped, "DEFAULT_WEIGHTS", "tiny")
    monkeypatch.chdir(tmp_path)
    for arguments in ((), (None, "tiny"), ("tiny",)):
        assert open_checkpoint(*arguments).path == file
    assert list_weights() == "tiny  tiny, for tests (default)"
    assert describe("tiny").recipe == "deepfill_v2"
    with pytest.raises(InputError, match="no weights named 'large'; shipped are: tiny"):
        open_checkpoint(None, "large")


def test_weights_for_research_are_listed_and_loaded_as_such():
    told = {line.split()[0]: "licensed for research only" in line for line in list_weights().splitlines()}
    assert told == {"photos": False, "photos_v1": True}
    assert shipped.terms_of(shipped.shipped_file("photos")) == ""
    assert "photos_v1.npz (most of its training images are" in load_network(open_checkpoint("photos_v1")).origin


def test_a_folder_of_images_does_not_hide_weights_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "beach.jpg").touch()
    assert open_checkpoint("photos").path == shipped.shipped_file("photos")
    (tmp_path / "photos" / "step.data-00000-of-00001").touch()
    with pytest.raises(InputError, match="its .index file is missing"):  # a checkpoint of that name, if a broken one
        open_checkpoint("photos")


@pytest.mark.parametrize("name", shipped.RETIRED)
def test_who_types_an_old_name_is_told_the_new_one(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in ((None, name), (name,)):
        with pytest.raises(InputError, match=f"the weights {name} no longer come with the package: take photos$"):
            open_checkpoint(*arguments)
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=f"there is no checkpoint in {name}"):  # a folder is a folder
        open_checkpoint(name)


def test_the_default_weights_follow_edges_and_need_none():
    about = read_about(shipped.shipped_file())
    assert (about.recipe, about.options["guided"], about.residuals) == ("lama", True, 0)
    inpainter = Inpainter.load(texture="none")
    image, mask = np.random.default_rng(0).integers(0, 256, [64, 72, 3], np.uint8), np.zeros([64, 72], bool)
    mask[20:44, 20:50] = True
    completed = inpainter.complete(image, mask)
    np.testing.assert_array_equal(completed, inpainter.complete(image, mask, np.zeros_like(mask)))
    np.testing.assert_array_equal(completed[~mask], image[~mask])


@pytest.mark.parametrize(
    "damage, said",
    [
        ("cut", "cannot be read as weights"),
        ("text", "cannot be read as weights"),
        ("other", "not weights of this project"),
        ("later", "later version"),
    ],
)
def test_other_files_are_told_in_a_sentence(file, damage, said):
    if damage == "cut":
        Path(file).write_bytes(Path(file).read_bytes()[: Path(file).stat().st_size // 2])
    elif damage == "text":
        Path(file).write_text("weights")
    elif damage == "other":
        np.savez(file, kernel=np.zeros(3))
    else:
        np.savez(file, **{"about.json": np.frombuffer(b'{"format": 9}', np.uint8)})
    with pytest.raises(InputError, match=said):
        open_checkpoint(file)


def test_a_damaged_array_is_told_in_a_sentence(file):
    with open(file, "r+b") as opened:
        opened.seek(400)
        opened.write(b"\xff" * 64)
    with pytest.raises(InputError, match="damaged or incomplete"):
        open_checkpoint(file)


def test_every_shipped_file_has_a_card_that_names_its_size():
    folder = Path(shipped.__file__).parents[1] / "weights"
    files = sorted(folder.glob("*.npz"))
    assert {file.stem for file in files} == {shipped.DEFAULT_WEIGHTS, shipped.SMALL_WEIGHTS, shipped.WITH_ATTENTION}
    for file in files:
        card = file.with_suffix(".md").read_text()
        assert card.startswith(f"# {file.stem}: ") and f"{file.stat().st_size / 1e6:.1f} MB" in card
        assert read_about(str(file)).text
    assert {file.stem for file in folder.glob("*.md")} == {file.stem for file in files}


def _claiming(file, array, claimed):
    """Adds an array whose head claims another shape."""
    head, data = io.BytesIO(), np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": claimed})
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("w.npy", head.getvalue() + data.tobytes())


@pytest.mark.parametrize(
    "array, said",
    [
        (np.float64([1]), "w holds float64"),
        (np.array(["a"]), "w holds <U1"),
        (np.array([{}], dtype=object), "w holds object"),
        (np.float32([np.nan]), "w has values that are not finite numbers"),
        (np.float16([np.inf]), "w has values that are not finite numbers"),
        (np.zeros(1 << 27, np.uint8), "claims to hold far more than its size allows"),
        ((np.zeros(4, np.float32), (1 << 40,)), "w is not of the size that it claims"),
        ((np.zeros(4, np.float32), (2,)), "w is not of the size that it claims"),
        ("text", "it holds other files"),
        (zipfile.ZIP_BZIP2, "w is compressed in an unknown way"),
    ],
)
def test_what_is_no_weight_is_refused_in_a_sentence(file, array, said):
    if isinstance(array, tuple):
        _claiming(file, *array)
    elif isinstance(array, (str, int)):
        member = io.BytesIO()
        np.lib.format.write_array(member, np.zeros(3, np.float32))
        with zipfile.ZipFile(file, "a") as archive:
            kind = zipfile.ZIP_STORED if array == "text" else array
            archive.writestr("readme.txt" if array == "text" else "w.npy", member.getvalue(), kind)
    else:
        with np.load(file) as archive:
            arrays = dict(archive)
        np.savez_compressed(file, **arrays, w=array)
    with pytest.raises(InputError, match=said) as caught:
        open_checkpoint(file)
    assert str(caught.value).isprintable()
