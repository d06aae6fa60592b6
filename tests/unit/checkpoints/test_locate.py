"""Finding a checkpoint from whatever a user points at; each failure is a sentence that names the file."""

import os
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from tf_inpaint.checkpoints import open_checkpoint
from tf_inpaint.checkpoints.index import check_index, find_damage
from tf_inpaint.checkpoints.locate import locate_checkpoint
from tf_inpaint.errors import InputError


def _files(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.index").touch()
        (folder / f"{name}.data-00000-of-00001").touch()
    return folder


def _state(folder, path):
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "{path}"\nall_model_checkpoint_paths: "{path}"\n')


@pytest.mark.parametrize("ending", ["", ".index", ".meta", ".data-00000-of-00001"])
def test_a_prefix_and_its_files(tmp_path, ending):
    _files(tmp_path, "snap-0")
    assert locate_checkpoint(f"{tmp_path}/snap-0{ending}") == f"{tmp_path}/snap-0"


@pytest.mark.parametrize(
    "named", ["snap-5", "/home/author/logs/snap-5", "./snap-5", r"C:\\author\\logs\\snap-5", r"\\\\host\\logs\\snap-5"]
)
def test_the_state_file_decides_even_from_another_machine(tmp_path, named):
    _state(_files(tmp_path, "snap-5", "snap-9"), named)
    assert os.path.samefile(locate_checkpoint(tmp_path) + ".index", tmp_path / "snap-5.index")
    assert os.path.samefile(locate_checkpoint(tmp_path / "checkpoint") + ".index", tmp_path / "snap-5.index")


def test_without_a_state_file_the_highest_step_counts(tmp_path):
    _files(tmp_path, "step-1000", "step-999", "best")
    assert locate_checkpoint(tmp_path).endswith("step-1000")


def test_a_state_file_that_names_nothing_here_is_passed_over(tmp_path):
    _state(_files(tmp_path, "snap-5"), "snap-7")
    assert locate_checkpoint(tmp_path).endswith("snap-5")


def test_a_run_folder(tmp_path):
    _files(tmp_path / "run" / "checkpoints", "step-00000010")
    assert locate_checkpoint(tmp_path / "run").endswith("step-00000010")


def test_brackets_in_a_path_are_no_pattern(tmp_path):
    assert locate_checkpoint(_files(tmp_path / "run [1]", "snap")).endswith("snap")


def test_all_files_of_a_checkpoint(tmp_path):
    prefix = _files(tmp_path, "snap-5", "snap-50") / "snap-5"
    assert open_checkpoint(prefix).files == [f"{prefix}.data-00000-of-00001", f"{prefix}.index"]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "USERPROFILE"):
            patch.setenv(name, str(tmp_path))
        assert open_checkpoint("~/snap-5").path == str(prefix)
    shipped = open_checkpoint("photos_v1")
    assert shipped.files == [shipped.path], "the card beside it is none of them"


def test_what_is_missing_is_named(tmp_path):
    def refusal(path):
        with pytest.raises(InputError) as refused:
            locate_checkpoint(path)
        return str(refused.value)

    (tmp_path / "empty").mkdir()
    no_file = f"there is no checkpoint in {tmp_path}/empty: no file ends in .index, .pth or .ckpt"
    assert refusal(tmp_path / "empty") == no_file
    assert refusal(tmp_path / "no" / "snap").startswith(f"there is no checkpoint at {tmp_path}/no/snap")

    (tmp_path / "weights.pth").touch()
    with pytest.raises(InputError, match=f"^{tmp_path}/weights.pth is an empty file$"):
        open_checkpoint(tmp_path / "weights.pth")
    (tmp_path / "weights.pth").rename(tmp_path / "weights.h5")
    assert "is not a checkpoint: expected a folder, " in refusal(tmp_path / "weights.h5")

    folder = _files(tmp_path / "a", "snap")
    assert "there is one in" in refusal(tmp_path) and str(folder) in refusal(tmp_path)
    (folder / "snap.data-00000-of-00001").unlink()
    assert f"{folder}/snap.data-00000-of-00001 is missing" in refusal(folder)
    (folder / "snap.data-00001-of-00002").touch()
    assert f"{folder}/snap.data-00000-of-00002 is missing" in refusal(folder / "snap.index")
    (folder / "snap.index").unlink()
    assert ".index file is missing" in refusal(folder)
    assert "snap.index is missing" in refusal(folder / "snap")
    (folder / "snap.data-00001-of-00002").unlink()
    _state(folder, "snap")
    assert refusal(folder).startswith(f"the state file in {folder} names snap")


def test_reading_and_damage(tmp_path):
    prefix = tf.train.Checkpoint(v=tf.Variable([1.0, 2.0])).write(str(tmp_path / "snap"))
    name = "v/.ATTRIBUTES/VARIABLE_VALUE"
    checkpoint = open_checkpoint(prefix)
    assert checkpoint.shapes[name] == (2,)
    ((read, value),) = checkpoint.read([name])
    assert read == name
    np.testing.assert_array_equal(value, [1, 2])

    with open(f"{prefix}.data-00000-of-00001", "r+b") as file:
        file.truncate(3)
    with pytest.raises(InputError, match="variable v/.* cannot be read"):
        list(open_checkpoint(prefix).read([name]))
    (tmp_path / "snap.index").write_bytes(b"no table" * 20)
    with pytest.raises(InputError, match=r"snap\.index cannot be read as a TensorFlow checkpoint"):
        open_checkpoint(prefix).shapes  # noqa: B018


@pytest.fixture
def pen_net(torch_save):
    """pen_net(folder, "gen_00300", ...) writes files of that release, whose values are the number."""

    def write(folder, *names):
        folder.mkdir(exist_ok=True)
        for name in names:
            network, number = name.split("_")
            torch_save(folder / f"{name}.pth", {f"net{network[0].upper()}": {"0.weight": np.full(2, float(number))}})
        return folder

    return write


def test_the_highest_number_of_a_folder_of_pytorch_files(tmp_path, pen_net):
    folder = pen_net(tmp_path / "release", "gen_00300", "dis_00300", "opt_00300", "gen_01000", "gen_00999", "dis_02000")
    assert locate_checkpoint(folder) == f"{folder}/gen_01000.pth"
    assert open_checkpoint(f"{folder}/gen_01000.pth").shapes == {"netG/0.weight": (2,)}
    for name in ("gen_00300", "dis_00300", "opt_00300"):
        assert locate_checkpoint(folder / f"{name}.pth") == f"{folder}/gen_00300.pth"
    with pytest.raises(InputError) as refused:
        locate_checkpoint(folder / "dis_02000.pth")
    assert "holds no generator" in str(refused.value) and f"{folder}/gen_02000.pth" in str(refused.value)


def test_the_critic_s_file_is_read_along(tmp_path, pen_net):
    checkpoint = open_checkpoint(pen_net(tmp_path, "gen_00007", "dis_00007", "dis_00003"))
    assert checkpoint.shapes == {"netG/0.weight": (2,), "dis_00007.pth/netD/0.weight": (2,)}
    for names in (["netG/0.weight"], ["dis_00007.pth/netD/0.weight"], ["dis_00007.pth/netD/0.weight", "netG/0.weight"]):
        values = dict(checkpoint.read(iter(names)))
        assert set(values) == set(names) and all(np.all(value == 7) for value in values.values())
    (tmp_path / "dis_00007.pth").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match=r"dis_00007\.pth is truncated or damaged"):
        open_checkpoint(tmp_path)


def test_pytorch_files_of_any_name(tmp_path, torch_save):
    (tmp_path / "in").mkdir()
    one = torch_save(tmp_path / "in" / "celeba.pth", {"x": np.zeros(3)})
    assert locate_checkpoint(one) == locate_checkpoint(tmp_path / "in") == str(one)
    with pytest.raises(InputError, match=r"holds no checkpoint itself, but there is one in .*/in$"):
        locate_checkpoint(tmp_path)
    no_ending = one.rename(tmp_path / "in" / "weights")
    assert locate_checkpoint(no_ending) == str(no_ending)
    for name in ("a.pt", "b.pth"):
        torch_save(tmp_path / "in" / name, {"x": np.zeros(3)})
    with pytest.raises(InputError, match=r"/in holds 2 PyTorch files: give one of them, such as a\.pt"):
        locate_checkpoint(tmp_path / "in")
    _files(tmp_path / "in", "snap-0")
    assert locate_checkpoint(tmp_path / "in").endswith("snap-0")
    (tmp_path / "in" / "b.pth").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(InputError, match=r"b\.pth is text, not a PyTorch file"):
        open_checkpoint(tmp_path / "in" / "b.pth")


def test_the_folder_that_lama_is_unpacked_to(tmp_path, torch_save):
    models = tmp_path / "big-lama" / "models"
    models.mkdir(parents=True)
    (tmp_path / "big-lama" / "config.yaml").write_text("generator:\n")
    last = torch_save(models / "last.ckpt", {"x": np.zeros(3)})
    assert locate_checkpoint(tmp_path / "big-lama") == str(last)
    best = torch_save(models / "best.ckpt", {"x": np.zeros(3)})
    for path in (tmp_path / "big-lama", models, best):
        assert locate_checkpoint(path) == str(best)
    assert locate_checkpoint(last) == str(last)
    with zipfile.ZipFile(tmp_path / "big-lama.zip", "w") as archive:
        archive.writestr("big-lama/models/best.ckpt", b"")
    with pytest.raises(InputError, match=r"big-lama.zip is an archive with big-lama/models/best.ckpt in it: unpack it"):
        open_checkpoint(tmp_path / "big-lama.zip")


def test_an_index_is_checked_before_tensorflow_reads_it(tmp_path):
    variables = {f"v{i}": tf.Variable(tf.zeros([i, 3])) for i in range(40)}
    variables.update(text=tf.Variable("text"), step=tf.Variable(3))
    prefix = tf.train.Checkpoint(**variables).write(str(tmp_path / "snap"))
    check_index(prefix)
    assert find_damage(prefix) == ""
    whole = (tmp_path / "snap.index").read_bytes()
    for place in (*range(0, len(whole), 37), *range(len(whole) - 48, len(whole))):
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :]):
            (tmp_path / "snap.index").write_bytes(damaged)
            try:
                assert dict(open_checkpoint(prefix).shapes)
            except InputError as error:
                assert "cannot be read as a TensorFlow checkpoint" in str(error)
            else:  # padding of the footer
                assert place >= len(whole) - 48
    (tmp_path / "snap.index").write_bytes(whole)
    with open(f"{prefix}.data-00000-of-00001", "r+b") as file:
        file.truncate(900)
    assert find_damage(prefix)


@pytest.mark.parametrize("path", [5, ["run"], b"run"])
def test_what_is_no_path_is_named(path):
    with pytest.raises(ValueError, match="^`checkpoint_dir` must be a path or the name of weights. Received: "):
        open_checkpoint(path)
