"""`python test.py` as a user runs it: files in, files out, sentences and exit codes."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from runs import ROOT, TINY, write_untrained_run

from tf_inpaint import cli
from tf_inpaint.checkpoints import DEFAULT_WEIGHTS
from tf_inpaint.io.images import read_image, write_png
from tf_inpaint.predict.command import main

pytestmark = pytest.mark.slow

PROGRAM = ROOT / "test.py"
RNG = np.random.default_rng(0)


def _run(*arguments, cwd=None):
    return subprocess.run([sys.executable, PROGRAM, *map(str, arguments)], capture_output=True, text=True, cwd=cwd)


@pytest.fixture
def complete(capsys):
    """complete(*arguments) -> (exit code, stdout, stderr) of test.py's command, in this process."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.run(main, [str(argument) for argument in arguments])
        return ended.value.code, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run of train.py with a narrow, untrained net."""
    folder = tmp_path_factory.mktemp("run")
    write_untrained_run(folder, TINY)
    return folder


def _image(height, width, channels=3):
    return RNG.integers(0, 256, (height, width, channels), np.uint8)


def _mask(height, width):
    mask = np.zeros((height, width), bool)
    mask[height // 4 : height // 2, width // 3 :] = True
    return mask


def test_a_folder_of_pictures_of_every_size(tmp_path, run_folder, complete):
    sizes = [(64, 64), (100, 75), (257, 511), (512, 680)]
    for height, width in sizes:
        write_png(tmp_path / "images" / f"{height}x{width}.png", _image(height, width))
        write_png(tmp_path / "masks" / f"{height}x{width}.png", _mask(height, width))
    arguments = ["--image", tmp_path / "images", "--mask", tmp_path / "masks", "--output", tmp_path / "out"]
    code, out, err = complete(*arguments, "--checkpoint_dir", run_folder, "--save_coarse", "--save_attention")
    assert (code, err) == (0, "")
    assert "4/4" in out and out.endswith("4 of 4 images completed\n")
    for height, width in sizes:
        known = ~_mask(height, width)
        image = read_image(tmp_path / "images" / f"{height}x{width}.png").rgb
        for ending in ("", "_coarse"):
            completed = read_image(tmp_path / "out" / f"{height}x{width}{ending}.png").rgb
            assert completed.shape == image.shape
            np.testing.assert_array_equal(completed[known], image[known])
            assert (completed[~known] != image[~known]).mean() > 0.9
        assert read_image(tmp_path / "out" / f"{height}x{width}_attention.png").rgb.shape == image.shape


def test_a_list_in_which_some_fail(tmp_path, run_folder, complete):
    """Grey, alpha and EXIF come back as they should; every failure is one sentence; the rest is written."""
    mask = _mask(64, 80)
    write_png(tmp_path / "m.png", mask)
    write_png(tmp_path / "small.png", _mask(64, 79))
    write_png(tmp_path / "all.png", np.ones_like(mask))
    write_png(tmp_path / "none.png", np.zeros_like(mask))
    grey, rgba = _image(64, 80, 1), _image(64, 80, 4)
    write_png(tmp_path / "grey.png", grey)
    write_png(tmp_path / "rgba.png", rgba)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(_image(80, 64)).save(tmp_path / "turned.jpg", exif=turned)
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "list.flist").write_text(
        "grey.png m.png o/grey.png\nabsent.png m.png o/absent.png\n"
        "rgba.png m.png o/rgba.png\ntext.png m.png o/text.png\n"
        "turned.jpg m.png\nrgba.png small.png o/small.png\nrgba.png all.png o/all.png\nrgba.png none.png o/none.png\n"
    )
    code, out, err = complete("--flist", tmp_path / "list.flist", "--checkpoint_dir", run_folder)
    assert code == 1
    assert out.endswith("4 of 8 images completed\n")
    lines = [line.replace(f"{tmp_path}/", "") for line in err.splitlines()]
    assert lines == [
        "failed: absent.png does not exist",
        "failed: text.png is not an image, whatever its name says, or damaged from its start on",
        "failed: the mask small.png has 79 x 64 pixels, but the image rgba.png has 80 x 64; "
        "--fit_mask resizes it",
        "failed: the mask all.png covers the whole image and leaves nothing to complete it from; "
        "if its holes are black, add --invert_mask",
        "warning: the mask none.png marks no hole, so o/none.png is a copy of the image; "
        "if its holes are black, add --invert_mask",
    ]
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["grey.png", "none.png", "rgba.png"]

    completed = read_image(tmp_path / "o" / "grey.png")
    assert completed.grey
    np.testing.assert_array_equal(completed.rgb[~mask], np.repeat(grey, 3, axis=2)[~mask])
    completed = read_image(tmp_path / "o" / "rgba.png")
    np.testing.assert_array_equal(completed.rgb[~mask], rgba[..., :3][~mask])
    np.testing.assert_array_equal(completed.alpha[~mask], rgba[..., 3][~mask])
    np.testing.assert_array_equal(read_image(tmp_path / "o" / "none.png").rgb, rgba[..., :3])
    upright = read_image(tmp_path / "turned.jpg").rgb
    completed = read_image(tmp_path / "turned_completed.png").rgb
    np.testing.assert_array_equal(completed[~mask], upright[~mask])


def test_two_machines_and_batches_give_the_pictures_of_one_by_one(tmp_path, run_folder, complete):
    sizes = [(64, 64), (64, 72), (61, 64), (64, 70), (64, 64), (60, 60)]
    for number, (height, width) in enumerate(sizes):
        write_png(tmp_path / "images" / f"{number}.png", _image(height, width))
        write_png(tmp_path / "masks" / f"{number}.png", _mask(height, width))
    (tmp_path / "images" / "broken.png").write_text("not an image")
    arguments = ["--image", tmp_path / "images", "--mask", tmp_path / "masks", "--checkpoint_dir", run_folder]
    code, out, _ = complete(*arguments, "--output", tmp_path / "alone", "--verbose")
    assert code == 1 and out.endswith("6 of 7 images completed\n")
    assert "6 images in 6 batches" in out and "graphs built: 1\n" in out
    together = ["--output", tmp_path / "together", "--batch_size", 4, "--verbose"]
    code, out, _ = complete(*arguments, *together, "--shard", "1/2")
    assert code == 1 and out.endswith("3 of 4 images completed\n")
    assert "2 of 64 x 64: " in out and " s an image" in out and "graphs built: 1\n" in out
    code, out, err = complete(*arguments, *together, "--shard", "2/2")
    assert (code, err) == (0, "") and out.endswith("3 of 3 images completed\n")
    code, out, err = complete(*arguments, "--output", tmp_path / "few", "--limit", 2)
    assert (code, err) == (0, "") and out.endswith("2 of 2 images completed\n")
    assert sorted(path.name for path in (tmp_path / "few").iterdir()) == ["0.png", "1.png"]
    names = sorted(path.name for path in (tmp_path / "alone").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "together").iterdir()) and len(names) == 6
    for name in names:
        one, other = (read_image(tmp_path / folder / name).rgb.astype(int) for folder in ("alone", "together"))
        assert np.abs(one - other).max() <= 1


def test_one_picture_with_black_holes_goes_beside_it(tmp_path, run_folder):
    mask, image = _mask(64, 64), _image(64, 64)
    write_png(tmp_path / "x.png", image)
    write_png(tmp_path / "m.png", ~mask)
    done = _run("--image", "x.png", "--mask", "m.png", "--checkpoint_dir", run_folder, "--invert_mask", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    origin, output = done.stdout.splitlines()
    assert "tf_inpaint run of DeepFill v1" in origin and "84 variables loaded, 0 missing, 0 unexpected" in origin
    assert output == "x_completed.png"
    completed = read_image(tmp_path / "x_completed.png").rgb
    np.testing.assert_array_equal(completed[~mask], image[~mask])
    assert (completed[mask] != image[mask]).mean() > 0.9


def test_the_default_weights_complete_with_a_sketch_and_without(tmp_path, capsys):
    image, mask, edges = np.full([64, 64, 3], 120, np.uint8), np.zeros([64, 64], bool), np.zeros([64, 64], bool)
    image[:, 32:] = 60
    mask[16:48, 16:48] = True
    edges[:, 31:33] = True
    write_png(tmp_path / "x.png", image)
    write_png(tmp_path / "m.png", mask)
    write_png(tmp_path / "e.png", edges)
    arguments = ["--image", str(tmp_path / "x.png"), "--mask", str(tmp_path / "m.png")]
    for more in ([], ["--edges", str(tmp_path / "e.png")]):
        assert main([*arguments, *more]) == 0
        assert f"{DEFAULT_WEIGHTS}.npz" in capsys.readouterr().out
        completed = read_image(tmp_path / "x_completed.png").rgb
        np.testing.assert_array_equal(completed[~mask], image[~mask])
        assert completed[16:48, 16:24].mean() > completed[16:48, 40:48].mean() + 20


@pytest.fixture(scope="module")
def files(tmp_path_factory, run_folder):
    """Good and bad files of which the refusals below are made."""
    folder = tmp_path_factory.mktemp("files")
    write_png(folder / "x.png", _image(64, 64))
    write_png(folder / "m.png", _mask(64, 64))
    write_png(folder / "small.png", _mask(64, 63))
    write_png(folder / "white.png", np.ones((64, 64), bool))
    (folder / "text.png").write_text("not an image")
    (folder / "l.flist").write_text("x.png m.png\n")
    (folder / "empty").mkdir()
    tf.train.Checkpoint(dense=tf.Variable([1.0])).write(str(folder / "stranger" / "step-1"))
    (folder / "run").symlink_to(run_folder)
    return folder


JOB, RUN = "--image x.png --mask m.png", "--checkpoint_dir run"


@pytest.mark.parametrize(
    "arguments, said",
    [
        (f"{JOB} --weights places2", "there are no weights named 'places2'"),
        (f"{JOB} --weights photos_guided", "the weights photos_guided no longer come with the package: take photos"),
        (f"{JOB} --checkpoint_dir faces", "the weights faces no longer come with the package: take photos"),
        (f"{JOB} --weights photos --save_attention", "leave out --save_attention, or take the weights photos_v1"),
        (f"{JOB} --weights photos --residuals 0.5", "leave out residuals, or take the weights photos_v1"),
        (f"{JOB} --weights photos --attention coarse", "leave out attention coarse, or take the weights photos_v1"),
        (f"{JOB} --checkpoint_dir empty", "there is no checkpoint in empty"),
        (f"{JOB} --checkpoint_dir nowhere", "there is no checkpoint at nowhere"),
        (f"{JOB} --checkpoint_dir stranger", "stranger/step-1 is a checkpoint of another model"),
        (f"--image absent.png --mask m.png {RUN}", "absent.png does not exist"),
        (f"--image x.png --mask absent.png {RUN}", "absent.png does not exist"),
        (f"--image text.png --mask m.png {RUN}", "text.png is not an image"),
        (f"--image x.png --mask small.png {RUN}", "small.png has 63 x 64 pixels, but the image x.png has 64 x 64"),
        (f"--image x.png --mask white.png {RUN}", "the mask white.png covers the whole image"),
        (f"{JOB} --output x.png {RUN}", "x.png is one of the inputs"),
        (f"{JOB} --output o.jpg {RUN}", "the output o.jpg must end in .png"),
        (f"{JOB} --max_pixels 100 {RUN}", "64 x 64 pixels are more than the limit of 100"),
        (f"--flist l.flist --shard 0/4 {RUN}", "--shard must be i/n with i from 1 to n, such as 2/8, not 0/4"),
        (f"{JOB} --shard 1/4 {RUN}", "--shard and --limit are for a folder or a list"),
        (f"{JOB} --limit 0 {RUN}", "--limit must be at least 1, not 0"),
        (f"{JOB} --residuals 2 {RUN}", "residuals is a strength, 0 to 1, not 2"),
        (f"{JOB} --batch_size 0 {RUN}", "--batch_size must be at least 1, not 0"),
        (f"{JOB} --edges absent.png {RUN}", "absent.png does not exist"),
        (f"{JOB} --edges small.png {RUN}", "the edge map small.png has 63 x 64 pixels, but the image"),
        (f"{JOB} --edges m.png {RUN}", "this model follows no edges: leave out m.png"),
        (f"--image empty --mask m.png {RUN}", "empty holds no images"),
        (f"--flist absent.flist {RUN}", "the list absent.flist cannot be read"),
        (f"--image x.png {RUN}", "give --image and --mask, or --flist"),
        (f"--flist l.flist --mask m.png {RUN}", "--flist names images, masks and edges itself"),
        (f"{JOB} --ray {RUN}", "--ray completes a folder or a list, and needs no --shard"),
        (f"--flist l.flist --rows r.csv {RUN}", "--actors and --rows are for --ray"),
        ("--imag x.png", "unrecognized arguments: --imag"),
    ],
)
def test_refusals_are_one_line_and_exit_code_2(files, arguments, said, monkeypatch, capsys):
    before = sorted(files.iterdir())
    monkeypatch.chdir(files)
    with pytest.raises(SystemExit) as stopped:
        cli.run(main, arguments.split())
    out, err = capsys.readouterr()
    loaded = any(option in arguments for option in ("--max_pixels", "--edges m.png", "--save_attention"))
    assert stopped.value.code == 2 and (loaded or out == "")
    assert said in err and err.startswith("error: ") and err.count("\n") == 1
    assert sorted(files.iterdir()) == before


def test_debug_shows_the_trace(files):
    done = _run("--image", "absent.png", "--mask", "m.png", "--checkpoint_dir", "run", "--debug", cwd=files)
    assert done.returncode == 2
    assert "Traceback" in done.stderr and done.stderr.endswith("error: absent.png does not exist\n")


@pytest.mark.parametrize(
    "arguments",
    [f"{JOB} --weights places2", f"--image x.png --mask small.png {RUN}", f"--flist absent.flist {RUN}"],
)
def test_what_needs_no_tensorflow_is_refused_without(files, arguments):
    program = f"import sys; from tf_inpaint.predict.command import main\ntry: main({arguments.split()})\n"
    program += "finally: print('tensorflow' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM.parent)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=files, env=environment)
    assert done.stdout == "False\n" and "InputError" in done.stderr
