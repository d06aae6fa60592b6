import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from tf_inpaint import samples
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import read_image, read_mask
from tf_inpaint.io.listing import list_files
from tf_inpaint.samples import KINDS, SAMPLES, draw_mask, load_sample, main


def test_a_dozen_photographs_with_masks(tmp_path, capsys):
    pytest.importorskip("skimage")
    assert main(["--output", str(tmp_path / "samples")]) == 0
    images, masks = (list_files(str(tmp_path / "samples" / folder)) for folder in ("images", "masks"))
    assert len(images) == len(masks) == len(SAMPLES) == 12
    sources = (tmp_path / "samples" / "SOURCES.txt").read_text(encoding="utf-8")
    for image, mask in zip(images, masks):
        assert image.replace("images", "masks") == mask
        rgb, hole = read_image(image).rgb, read_mask(mask)
        assert rgb.shape[:2] == hole.shape and max(hole.shape) <= 640 and rgb.std() > 10
        assert set(np.unique(hole)) == {0, 255} and 0.03 < (hole > 127).mean() < 0.35
        assert image.rsplit("/")[-1] in sources
    assert sources.count("CC0 1.0: ") + sources.count("public domain: ") == 12
    printed = capsys.readouterr().out
    assert all(path in printed for path in images + masks) and "24 files written, 0 kept" in printed


def test_what_is_there_is_kept_unless_forced(tmp_path, capsys):
    pytest.importorskip("skimage")
    main(["--output", str(tmp_path)])
    own = tmp_path / "images" / "chelsea.png"
    own.write_bytes((tmp_path / "images" / "coffee.png").read_bytes())
    before = own.read_bytes()
    main(["--output", str(tmp_path)])
    assert own.read_bytes() == before and "0 files written, 24 kept" in capsys.readouterr().out
    main(["--output", str(tmp_path), "--force"])
    assert own.read_bytes() != before and "24 files written, 0 kept" in capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_the_same_every_time(kind):
    mask = draw_mask(kind, 90, 120, "a")
    np.testing.assert_array_equal(mask, draw_mask(kind, 90, 120, "a"))
    assert mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 255}
    assert np.array_equal(mask, draw_mask(kind, 90, 120, "b")) == (kind in ("centre", "text"))


def _without(monkeypatch, *packages):
    find = importlib.util.find_spec
    monkeypatch.setattr(samples.importlib.util, "find_spec", lambda name: None if name in packages else find(name))


def test_without_scikit_image_the_rest_is_written(tmp_path, monkeypatch, capsys):
    _without(monkeypatch, "skimage")
    assert main(["--output", str(tmp_path)]) == 1
    assert [path[-10:] for path in list_files(str(tmp_path / "images"))] == ["hopper.png"]
    error = capsys.readouterr().err
    assert error.startswith("warning: 11 photographs are not installed") and error.count("\n") == 1
    assert "pip install 'tf_inpaint[samples]'" in error


def test_without_any_package_nothing_is_written(tmp_path, monkeypatch):
    _without(monkeypatch, "skimage", "matplotlib")
    with pytest.raises(InputError, match="no photographs are installed here: .*pip install"):
        main(["--output", str(tmp_path / "new")])
    assert not (tmp_path / "new").exists()


def test_large_photographs_are_made_smaller():
    pytest.importorskip("skimage")
    retina = next(sample for sample in SAMPLES if sample.name == "retina")
    assert load_sample(retina).shape == (640, 640, 3)


@pytest.mark.slow
def test_the_command_needs_no_tensorflow_and_fails_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    program = (
        "import sys, tf_inpaint.cli as cli, tf_inpaint.samples as samples\n"
        "assert 'tensorflow' not in sys.modules\n"
        f"cli.run(samples.main, ['--output', {str(tmp_path / 'file')!r}])\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ") and "is not a folder" in result.stderr and result.stderr.count("\n") == 1
