"""`python train.py` as a user runs it: sentences, exit codes, and what is written."""

import pytest
import yaml
from runs import ROOT, small_config, write_images

from tf_inpaint import cli
from tf_inpaint.config import load_config, to_yaml
from tf_inpaint.training.command import main

ONE_STAGE = "options.pretrain_coarse=true"  # graphs that are built soon, where any network will do


@pytest.fixture
def images(tmp_path):
    """Four JPEG files, which the small config names."""
    write_images(tmp_path / "images", 4, "jpg")
    return tmp_path / "images"


@pytest.fixture
def train(tmp_path, capsys):
    """A function of arguments to (exit code, stdout, stderr) of train.py on a small config."""

    def run(*overrides, dry_run=False, text=None):
        config = tmp_path / "tiny.yml"
        config.write_text(text or tiny(tmp_path))
        arguments = ["--config", str(config), *(["--set", *overrides] if overrides else [])]
        with pytest.raises(SystemExit) as ended:
            cli.run(main, [*arguments, *(["--dry-run"] if dry_run else [])])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run


def tiny(folder):
    training, data = {"steps": 2, "deterministic": False}, {"batch_size": 2}
    values = small_config("deepfill_v1", {"n_critic": 1}, folder / "images", folder / "run", training, data)
    return yaml.safe_dump(values)


def test_without_a_config_all_are_listed(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.run(main, [])
    out = capsys.readouterr().out
    assert ended.value.code == 2 and "\nceleba_deepfill_v2 " in out and "python train.py --config NAME" in out
    assert len(out.splitlines()) == len(list((ROOT / "configs").glob("*.yml"))) + 5


def truncate(path):
    path.write_bytes(path.read_bytes()[:600])


def one_error_line(err):
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    return line


def test_a_typo_in_the_config_is_named_with_its_line(train, images, tmp_path):
    text = tiny(tmp_path).replace("batch_size", "batchsize")
    code, out, err = train(text=text)
    assert code == 2 and out == ""
    assert "tiny.yml:" in one_error_line(err) and "batch_size" in one_error_line(err)


def test_a_typo_in_an_override_is_named(train, images):
    code, _, err = train("data.batchsize=8")
    assert code == 2 and "--set data.batchsize" in one_error_line(err)


def test_a_missing_config_is_one_sentence(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.run(main, ["--config", "nowhere.yml"])
    assert ended.value.code == 2 and "nowhere.yml" in one_error_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    "arguments, begin, end",
    [
        (["celeba_deepfill_v2"], "celeba_deepfill_v2.yml:12: data.train: data/celeba/train ", "datasets celeba tells"),
        (["quickstart_lama"], "quickstart_lama.yml:18: data.train: data/samples/", "samples --output data/samples"),
        (["quickstart", "data.train=no"], "--set data.train=no: data.train: no does", "datasets tells of the papers'"),
    ],
)
def test_missing_images_are_told_with_place_and_help(arguments, begin, end, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        cli.run(main, ["--config", arguments[0], *(["--set", *arguments[1:]] if arguments[1:] else [])])
    line = one_error_line(capsys.readouterr().err)
    assert ended.value.code == 2 and begin in line and f"; python -m tf_inpaint.{end}" in line
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_is_one_sentence_and_nothing_is_written(train, tmp_path):
    (tmp_path / "images").mkdir()
    code, _, err = train()
    assert code == 2 and str(tmp_path / "images") in one_error_line(err)
    assert not (tmp_path / "run").exists()


def test_too_many_broken_images_are_named(train, images, tmp_path):
    (images / "notes.png").write_text("no image")
    code, _, err = train()
    line = one_error_line(err)
    assert code == 2 and "notes.png" in line and "max_broken_fraction" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_images_found_broken_while_training_end_it_in_a_sentence(train, images, tmp_path):
    truncate(images / "2.jpg")  # its head is whole: only decoding it shows the damage
    code, _, err = train(ONE_STAGE, "training.steps=50")
    line = one_error_line(err)
    assert code == 2 and "2.jpg" in line and "max_broken_fraction" in line


@pytest.mark.slow
def test_a_truncated_image_is_replaced_and_named_and_training_goes_on(train, images, tmp_path):
    truncate(images / "2.jpg")
    code, out, err = train(ONE_STAGE, "data.max_broken_fraction=0.5", "training.steps=4")
    assert code == 0, err
    assert "done: 4 steps" in out
    assert "1 file could not be read, others took its place: " in out and "2.jpg" in out


@pytest.mark.slow
def test_a_dry_run_writes_nothing(train, images, tmp_path):
    code, out, err = train(dry_run=True)
    assert code == 0, err
    for part in ("images         4", "58,086 parameters", "images/s", "memory"):
        assert part in out
    assert not (tmp_path / "run").exists()


def test_a_dry_run_shows_every_key_before_it_looks_for_images(train, tmp_path):
    code, out, _ = train("data.max_broken_share=0.5", dry_run=True)
    assert code == 2 and to_yaml(load_config(tmp_path / "tiny.yml", ["data.max_broken_fraction=0.5"])) in out
    assert "--set data.max_broken_share=0.5: data.max_broken_share is now called data.max_broken_fraction\n" in out


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_with_exit_code_2(train, images, tmp_path):
    code, _, err = train(ONE_STAGE, "optimizer.learning_rate=1e30", "training.steps=9", "training.checkpoint_every=1")
    line = one_error_line(err)
    assert code == 2 and "at step 2 and training stopped" in line
    assert str(tmp_path / "run" / "checkpoints" / "step-00000001") in line


def test_the_authors_config_is_translated_and_the_translation_printed(train, tmp_path):
    theirs = {"IMG_SHAPES": [256, 256, 3], "DATASET": "celeba", "DATA_FLIST": {"celeba": ["nowhere.flist", ""]}}
    code, out, err = train(text=yaml.safe_dump(theirs))
    assert code == 2 and "nowhere.flist" in one_error_line(err)
    assert "IMG_SHAPES" in out and "data.image_size" in out
