"""python -m tf_inpaint.edges: what is written where."""

import subprocess
import sys

import numpy as np
import pytest

from tf_inpaint.edges import main
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import read_mask, write_png
from tf_inpaint.io.listing import list_files, split_edges
from tf_inpaint.ops import landmarks
from tf_inpaint.ops.edges import canny_edges

BAR = np.full((64, 64, 3), 40, np.uint8)
BAR[8:56, 28:36] = 200


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "sub/b", "sub/c_edge"):
        write_png(tmp_path / "photos" / f"{name}.png", BAR)
    return tmp_path / "photos"


def test_the_command_writes_what_is_missing(folder, capsys):
    assert main(["--images", str(folder)]) == 0
    assert "3 edges written, 0 kept" in capsys.readouterr().out
    np.testing.assert_array_equal(read_mask(folder / "sub" / "b_edge.png"), canny_edges(BAR))
    assert (folder / "sub" / "c_edge_edge.png").exists()  # there is no c: it is an image

    (folder / "a_edge.png").unlink()
    write_png(folder / "sub" / "b_edge.png", np.zeros((64, 64), np.uint8))
    assert main(["--images", str(folder)]) == 0
    assert "1 edges written, 2 kept" in capsys.readouterr().out
    assert not read_mask(folder / "sub" / "b_edge.png").any()
    assert main(["--images", str(folder), "--force", "--smallest", "9"]) == 0
    assert read_mask(folder / "sub" / "b_edge.png").any()


def test_a_broken_picture_is_named_and_the_rest_is_done(folder, capsys):
    (folder / "broken.png").write_text("text")
    assert main(["--images", str(folder)]) == 1
    captured = capsys.readouterr()
    assert "broken.png is not an image" in captured.err and "3 edges written, 0 kept, 1 images" in captured.out


def test_sketches_go_into_another_folder_laid_out_alike(folder, tmp_path, capsys):
    output = tmp_path / "lines"
    assert main(["--images", str(folder), "--output", str(output)]) == 0
    assert sorted(path.relative_to(output).as_posix() for path in output.rglob("*.png")) == [
        "a_edge.png",
        "sub/b_edge.png",
        "sub/c_edge_edge.png",
    ]
    assert not (folder / "a_edge.png").exists()
    assert main(["--images", str(folder), "--output", str(output)]) == 0
    assert "0 edges written, 3 kept" in capsys.readouterr().out
    images, edges = split_edges(list_files(str(folder)), str(folder), str(output))
    assert [edges[image] for image in images] == [
        str(output / name) for name in ("a_edge.png", "sub/b_edge.png", "sub/c_edge_edge.png")
    ]


def test_two_pictures_with_one_sketch_are_refused(folder):
    write_png(folder / "x.png", BAR)
    (folder / "x.png").rename(folder / "a.jpg")
    with pytest.raises(InputError, match="a.jpg and .*a.png would have the same edges, .*a_edge.png: rename one"):
        main(["--images", str(folder)])


def _run(*arguments):
    return subprocess.run([sys.executable, "-m", "tf_inpaint.edges", *arguments], capture_output=True, text=True)


@pytest.mark.slow
def test_the_command_from_a_shell(folder, tmp_path):
    done = _run("--images", str(folder), "--fraction", "0.05")
    assert (done.returncode, done.stderr) == (0, "") and "3 edges written, 0 kept, 0 images" in done.stdout
    assert (folder / "sub" / "b_edge.png").exists()
    done = _run("--images", str(tmp_path), "--method", "hed")
    assert done.returncode == 2 and done.stderr.startswith("error: --method hed needs --model")
    assert len(done.stderr.splitlines()) == 1


def test_images_without_a_face_are_counted(folder, capsys, monkeypatch):
    monkeypatch.setattr(landmarks, "installed", lambda: True)
    faces = iter([[], [np.array([[10.0 + i, 20.0] for i in range(68)])], []])
    monkeypatch.setattr(landmarks, "face_landmarks", lambda rgb: next(faces))
    assert main(["--images", str(folder), "--method", "landmarks"]) == 0
    assert "in 2 of these images no face was found: their edges are empty" in capsys.readouterr().out
    levels = [read_mask(folder / f"{name}_edge.png") for name in ("a", "sub/b", "sub/c_edge")]
    assert sorted(bool(found.any()) for found in levels) == [False, False, True]
    monkeypatch.setattr(landmarks, "installed", lambda: False)
    with pytest.raises(SystemExit):
        main(["--images", str(folder), "--method", "landmarks"])
    assert "pip install 'tf_inpaint[landmarks]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--model", "x.onnx"], "--model is not for --method canny"),
        (["--level", "0"], "--level is not for --method canny"),
        (["--method", "hed", "--model", "x.onnx", "--fraction", "0.1"], "--fraction is not for --method hed"),
        (["--method", "hed", "--model", "x.onnx", "--level", "1.5"], "--level must be above 0 and below 1, not 1.5"),
        (["--method", "landmarks", "--smallest", "9"], "--smallest is not for --method landmarks"),
        (["--smoothing", "nan"], "--smoothing must be above 0 and below 100, not nan"),
        (["--smallest", "-1"], "--smallest must be at least 0, not -1"),
    ],
)
def test_wrong_options(tmp_path, capsys, monkeypatch, arguments, message):
    with pytest.raises(SystemExit) as caught:
        monkeypatch.setattr(landmarks, "installed", lambda: True)
        main(["--images", str(tmp_path), *arguments])
    assert caught.value.code == 2 and message in capsys.readouterr().err
