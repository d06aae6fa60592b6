import contextlib
import json
import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf
import yaml

from tf_inpaint.config import config_to_dict, flat_config, load_config
from tf_inpaint.errors import InputError
from tf_inpaint.training import run_folder
from tf_inpaint.training.run_folder import RunFolder
from tf_inpaint.training.sources import fingerprints


@pytest.fixture
def config(toy_config):
    return toy_config()


@pytest.fixture
def started(config):
    """A function of a path to a run folder that has been started with the toy's config, or another."""

    def start(path, config=config, **options):
        folder = RunFolder(path, **options)
        folder.start(config, {"tensorflow": tf.__version__})
        return folder

    return start


@pytest.fixture
def saved(tmp_path, started):
    """A started run folder with the checkpoint of step 3."""
    folder = started(tmp_path)
    folder.save(checkpoint()[0], 3)
    return folder


def checkpoint(value=0.0, size=1):
    weights = {"conv.kernel": tf.Variable(tf.fill([size], value))}
    return tf.train.Checkpoint(step=tf.Variable(0, dtype=tf.int64), generator=weights), weights


def lines(path):
    return [json.loads(line) for line in (path / "scalars.jsonl").read_text().splitlines()]


def test_nothing_is_created_before_the_start(tmp_path, config):
    folder = RunFolder(tmp_path / "run")
    folder.check(config)
    assert folder.last_step() is None and folder.last_checkpoint() is None
    assert not folder.restore(checkpoint()[0])
    assert not (tmp_path / "run").exists()


def test_a_new_folder_explains_itself(tmp_path, config, started):
    started(tmp_path / "run").close()
    assert load_config(tmp_path / "run" / "config.yml") == config
    assert yaml.safe_load((tmp_path / "run" / "config.yml").read_text()) == config_to_dict(config)  # every key
    (start,) = json.loads((tmp_path / "run" / "versions.json").read_text())
    assert start == {"from_step": 0, "tensorflow": tf.__version__}
    assert lines(tmp_path / "run") == []


def test_a_folder_written_under_old_names_of_keys_goes_on_and_takes_the_new_ones(tmp_path, saved, started, caplog):
    saved.close()
    file = tmp_path / "config.yml"
    new = file.read_text()
    old = new.replace("max_broken_fraction", "max_broken_share").replace("noise_fraction", "noise_share")
    file.write_text(old)
    started(tmp_path).close()
    assert old != new and file.read_text() == new and not caplog.messages


def test_checkpoints_are_named_by_step_listed_for_tensorflow_and_the_oldest_go(tmp_path, started):
    folder = started(tmp_path, keep=2)
    saved, weights = checkpoint()
    for step in (3, 6, 9):
        weights["conv.kernel"].assign([float(step)])
        folder.save(saved, step)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    data = ".data-00000-of-00001"
    assert names == ["checkpoint", *(f"step-0000000{step}{end}" for step in (6, 9) for end in (data, ".index"))]
    assert folder.last_step() == 9
    assert folder.last_checkpoint() == tf.train.latest_checkpoint(str(tmp_path / "checkpoints"))
    other, restored = checkpoint()
    assert folder.restore(other)
    assert restored["conv.kernel"].numpy() == 9.0


def test_a_run_folder_can_be_moved(tmp_path, started):
    started(tmp_path / "here").save(checkpoint()[0], 1)
    (tmp_path / "here").rename(tmp_path / "there")
    moved = str(tmp_path / "there" / "checkpoints" / "step-00000001")
    assert RunFolder(tmp_path / "there").last_checkpoint() == moved
    assert tf.train.latest_checkpoint(str(tmp_path / "there" / "checkpoints")) == moved


def test_a_checkpoint_that_the_state_file_does_not_name_does_not_count(tmp_path, saved):
    (tmp_path / "checkpoints" / "step-00000006.index").write_bytes(b"torn by a kill")
    assert RunFolder(tmp_path).last_step() == 3


def test_without_a_state_file_the_last_checkpoint_counts(tmp_path, saved):
    (tmp_path / "checkpoints" / "checkpoint").unlink()
    assert RunFolder(tmp_path).last_step() == 3


def test_a_damaged_checkpoint_is_one_sentence(tmp_path, saved):
    (tmp_path / "checkpoints" / "step-00000003.index").write_bytes(b"")
    with pytest.raises(InputError, match="cannot go on from checkpoint .*step-00000003: ") as error:
        saved.restore(checkpoint()[0])
    assert "\n" not in str(error.value)


def test_a_checkpoint_of_another_network_is_one_sentence(saved):
    for other in (tf.train.Checkpoint(generator={"other": tf.Variable(0.0)}), checkpoint(size=2)[0]):
        with pytest.raises(InputError, match="cannot go on from checkpoint") as error:
            saved.restore(other)
        assert "\n" not in str(error.value)


def test_going_on_drops_lines_after_the_checkpoint_and_torn_ones(tmp_path, started):
    folder = started(tmp_path)
    for step in (1, 2, 3):
        folder.log(step, {"l1": float(step)})
        if step == 2:
            folder.save(checkpoint()[0], step)
    folder.close()
    with open(tmp_path / "scalars.jsonl", "ab") as file:
        file.write(b'{}\n1\n\xff\0\n{"step": 4, "l')
    folder = started(tmp_path)
    folder.log(3, {"l1": 30.0})
    assert lines(tmp_path) == [{"step": 1, "l1": 1.0}, {"step": 2, "l1": 2.0}, {"step": 3, "l1": 30.0}]
    assert [start["from_step"] for start in json.loads((tmp_path / "versions.json").read_text())] == [0, 2]


def test_a_folder_without_a_checkpoint_is_begun_anew(tmp_path, toy_config, started):
    started(tmp_path).log(1, {"l1": 1.0})
    started(tmp_path, toy_config(optimizer={"learning_rate": 0.02}))
    assert "learning_rate: 0.02" in (tmp_path / "config.yml").read_text()
    assert lines(tmp_path) == []


def test_another_config_is_refused_by_the_names_of_its_keys(tmp_path, toy_config, saved, started):
    before = (tmp_path / "config.yml").read_text()
    other = toy_config(optimizer={"learning_rate": 0.02}, training={"steps": 9})
    with pytest.raises(InputError, match=r"differs in optimizer.learning_rate \(0.01 there, 0.02 now\): ") as error:
        started(tmp_path, other)
    assert "steps" not in str(error.value)
    assert (tmp_path / "config.yml").read_text() == before


def test_what_does_not_change_the_numbers_may_change(tmp_path, toy_config, saved, started):
    training = {"steps": 9, "strategy": "mirrored", "keep_checkpoints": 1}
    started(tmp_path, toy_config(training=training, data={"max_broken_fraction": 0.5}))
    assert "steps: 9" in (tmp_path / "config.yml").read_text()


def test_a_key_that_an_older_version_did_not_know_counts_as_its_default(tmp_path, saved, started):
    file = tmp_path / "config.yml"
    file.write_text("".join(x for x in file.read_text().splitlines(keepends=True) if "ema_decay" not in x))
    assert started(tmp_path).last_step() == 3


def test_steps_matter_where_the_learning_rate_runs_over_all_of_them(tmp_path, toy_config, started):
    cosine = {"schedule": "cosine"}
    started(tmp_path, toy_config(optimizer=cosine)).save(checkpoint()[0], 3)
    with pytest.raises(InputError, match=r"training.steps \(4 there, 9 now\)"):
        started(tmp_path, toy_config(optimizer=cosine, training={"steps": 9}))


def test_every_free_key_is_a_key_of_a_config(config):
    assert run_folder._FREE_KEYS <= set(flat_config(config))


def test_views_are_pictures(tmp_path, started):
    grid = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3)
    folder = started(tmp_path)
    folder.write_views(5, grid)
    read = tf.io.decode_png(tf.io.read_file(str(tmp_path / "views" / "step-00000005.png")))
    np.testing.assert_array_equal(read.numpy(), grid)


def test_tensorboard_has_the_same_scalars_and_views(tmp_path, started):
    folder = started(tmp_path)
    grid = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    folder.log(3, {"l1": 0.5, "penalty": 2.0})
    folder.write_views(4, grid)
    folder.close()
    (file,) = (tmp_path / "tensorboard").iterdir()
    events = [tf.compat.v1.Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(file))]
    first, second, third = ((event.step, value) for event in events for value in event.summary.value)
    for (step, value), tag, number in ((first, "l1", 0.5), (second, "penalty", 2.0)):
        assert (step, value.tag, value.metadata.plugin_data.plugin_name) == (3, tag, "scalars")
        assert float(tf.make_ndarray(value.tensor)) == number
    step, value = third
    assert (step, value.tag, value.metadata.plugin_data.plugin_name) == (4, "views", "images")
    width, height, png = tf.make_ndarray(value.tensor)
    assert (int(width), int(height)) == (6, 4)
    np.testing.assert_array_equal(tf.io.decode_png(png).numpy(), grid)


@contextlib.contextmanager
def no_file_longer_than(size):
    """Writing beyond `size` bytes fails, as on a full disk."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    sys.stdout.flush()
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_leaves_the_previous_checkpoint_and_is_one_sentence(tmp_path, started):
    folder = started(tmp_path, keep=1)
    saved, weights = checkpoint(1.0, size=100_000)
    folder.save(saved, 3)
    weights["conv.kernel"].assign_add(tf.ones([100_000]))
    with no_file_longer_than(100_000), pytest.raises(InputError) as error:
        folder.save(saved, 6)
    message = str(error.value)
    assert message.startswith(f"cannot write checkpoint step-00000006 in {tmp_path} (File too large); ")
    assert f"the last whole checkpoint is {tmp_path / 'checkpoints' / 'step-00000003'}" in message
    assert "\n" not in message
    assert not list((tmp_path / "checkpoints").glob("step-00000006*"))
    other, restored = checkpoint(size=100_000)
    assert RunFolder(tmp_path).restore(other)
    assert restored["conv.kernel"].numpy()[0] == 1.0
    folder.save(saved, 6)  # room again
    assert RunFolder(tmp_path).last_step() == 6


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path, started):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(InputError, match="cannot write the run folder in .*; no checkpoint has been written"):
        started(tmp_path / "run")


def _two(started, path):
    folder = started(path)
    for step in (3, 6):
        folder.log(step, {"l1": 1.0})
        folder.save(checkpoint(float(step))[0], step)
    folder.close()
    return path / "checkpoints"


@pytest.mark.parametrize("ending", [".index", ".data-00000-of-00001"])
def test_a_damaged_newest_checkpoint_is_put_aside_and_the_one_before_counts(tmp_path, config, started, ending):
    checkpoints = _two(started, tmp_path)
    with open(checkpoints / f"step-00000006{ending}", "r+b") as file:
        file.truncate(2)
    looking = RunFolder(tmp_path)
    (line,) = looking.look()
    assert "step-00000006 is damaged (" in line and "step-00000003 would take its place" in line
    restored, weights = checkpoint()
    assert looking.restore(restored) and weights["conv.kernel"].numpy() == 3.0
    assert not (checkpoints / "broken").exists()
    folder = RunFolder(tmp_path)
    (line,) = folder.start(config, {})
    assert line.startswith("warning: checkpoint step-00000006 is damaged (") and "step-00000003 takes its place" in line
    assert folder.last_step() == 3 and len(lines(tmp_path)) == 1
    assert sorted(path.name for path in (checkpoints / "broken").iterdir()) == [
        f"step-00000006{end}" for end in (".data-00000-of-00001", ".index")
    ]
    with open(checkpoints / f"step-00000003{ending}", "r+b") as file:
        file.truncate(2)
    with pytest.raises(InputError, match="no checkpoint of it is whole"):
        folder.start(config, {})
    assert len(lines(tmp_path)) == 1


def test_what_a_kill_left_unfinished_goes_at_the_next_start(tmp_path, started):
    kept = [tmp_path / ".my.part", tmp_path / "checkpoints" / "notes.part"]
    remains = [tmp_path / ".config.yml.0123456789ab.part", tmp_path / "checkpoints" / ".checkpoint.f42d57f16b9a.part"]
    unfinished = tmp_path / "checkpoints" / "step-00000007_temp"
    unfinished.mkdir(parents=True)
    for file in (*kept, *remains, unfinished / "part-00000-of-00001.index"):
        file.write_text("half")
    started(tmp_path)
    assert all(file.exists() for file in kept)
    assert not any(file.exists() for file in (*remains, unfinished))


@pytest.mark.parametrize("deleted", [0, 1], ids=["none", "data"])
def test_an_old_checkpoint_that_a_kill_left_goes_with_the_next_one(tmp_path, started, monkeypatch, deleted):
    """Killed at any moment between the new checkpoint and the end of the old one."""
    delete = run_folder._delete

    def die(path):
        nonlocal deleted
        if not deleted:
            raise KeyboardInterrupt
        deleted -= 1
        delete(path)

    folder = started(tmp_path, keep=2)
    for step in (3, 6):
        folder.save(checkpoint()[0], step)
    with monkeypatch.context() as patched:
        patched.setattr(run_folder, "_delete", die)
        with pytest.raises(KeyboardInterrupt):
            folder.save(checkpoint()[0], 9)
    folder.close()
    folder = started(tmp_path, keep=2)
    assert folder.last_step() == 9
    folder.save(checkpoint()[0], 12)
    steps = {path.name[:13] for path in (tmp_path / "checkpoints").glob("step-*")}
    assert steps == {"step-00000009", "step-00000012"}


@pytest.mark.parametrize("contents", ["", "model_checkpoint_path", None])
def test_a_lost_state_file_begins_no_run_over_the_old_one(tmp_path, started, contents):
    checkpoints = _two(started, tmp_path)
    (checkpoints / "checkpoint").unlink() if contents is None else (checkpoints / "checkpoint").write_text(contents)
    assert RunFolder(tmp_path).last_step() == 6


def test_a_lost_index_begins_no_run_over_the_old_one(tmp_path, config, started):
    for index in _two(started, tmp_path).glob("*.index"):
        index.unlink()
    with pytest.raises(InputError, match="step-00000006.index is missing"):
        RunFolder(tmp_path).check(config)


def test_images_are_the_same_where_their_files_are(tmp_path, toy_config, started):
    config = toy_config()
    folder, images = tmp_path / "run", config.data.train
    started(folder, config).save(checkpoint()[0], 3)
    shutil.copytree(images, tmp_path / "moved")
    moved = toy_config(data={"train": str(tmp_path / "moved")})
    RunFolder(folder).check(moved)
    sources = fingerprints(flat_config(config))
    started(folder, config)
    record = json.loads((folder / "versions.json").read_text())
    record[-1]["sources"] = sources
    (folder / "versions.json").write_text(json.dumps(record))
    next((tmp_path / "moved").iterdir()).unlink()
    with pytest.raises(InputError, match="differs in data.train .* training.init_optimizer: true"):
        RunFolder(folder).check(moved)
    changed = {"data.train": {**sources["data.train"], "count": 5, "names": "others"}}
    (line,) = RunFolder(folder).start(config, {"sources": changed})
    assert "the files of data.train have changed since this run began (6 pictures then, 5 now)" in line
