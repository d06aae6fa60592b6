import numpy as np
import pytest

from tf_inpaint import samples
from tf_inpaint.cli import DONE
from tf_inpaint.errors import InputError
from tf_inpaint.pictures import read_image, read_mask


def test_a_dozen_photographs_each_with_a_mask_and_its_terms(tmp_path, capsys):
    pytest.importorskip("skimage")
    assert samples.main(["--output", str(tmp_path / "samples")]) == DONE
    images = sorted((tmp_path / "samples" / "images").iterdir())
    assert len(images) == 12 and "12 photographs" in capsys.readouterr().out
    sources = (tmp_path / "samples" / "SOURCES.txt").read_text(encoding="utf-8")
    for image in images:
        picture, mask = read_image(image).rgb, read_mask(tmp_path / "samples" / "masks" / image.name)
        assert picture.shape[:2] == mask.shape and min(mask.shape) <= samples.LONGEST_SHORT_SIDE
        assert set(np.unique(mask)) == {0, 255} and 0.01 < (mask > 0).mean() < 0.35, image.name
        assert f"{image.stem}: " in sources and ("CC0" in sources or "public domain" in sources)


def test_the_same_again_every_time(tmp_path):
    for folder in ("one", "two"):
        samples.write_samples(tmp_path / folder)
    for file in (tmp_path / "one" / "masks").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / "masks" / file.name).read_bytes()


def test_without_scikit_image_the_rest_is_written_and_the_extra_named(tmp_path, monkeypatch, capsys):
    find = samples._find
    monkeypatch.setattr(samples, "_find", lambda sample: None if sample.package == "skimage" else find(sample))
    assert samples.main(["--output", str(tmp_path)]) == DONE
    assert [file.stem for file in (tmp_path / "images").iterdir()] == ["grace_hopper"]
    assert "scikit-image" in capsys.readouterr().err


def test_an_unwritable_folder_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        samples.write_samples(tmp_path / "file")


def test_large_photographs_are_shrunk_and_small_ones_left():
    assert samples._shrink(np.zeros([1024, 2048, 3], np.uint8)).shape == (512, 1024, 3)
    small = np.zeros([40, 30, 3], np.uint8)
    assert samples._shrink(small) is small
