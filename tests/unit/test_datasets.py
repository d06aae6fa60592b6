import pytest
import yaml

from tf_inpaint import cli, datasets
from tf_inpaint.errors import InputError
from tf_inpaint.io.listing import list_files


def lay_out(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def split(name, root):
    return {
        part: [file[len(str(root)) + 1 :] for file in files] for part, files in datasets.split_of(name, root).items()
    }


def test_celeba_by_its_partition(tmp_path):
    lay_out(tmp_path, *(f"img_align_celeba/00000{n}.jpg" for n in (1, 2, 3, 4)))
    partition = tmp_path / "Eval" / "list_eval_partition.txt"
    partition.parent.mkdir()
    partition.write_text("000001.jpg 0\n000002.jpg 2\n000003.jpg 1\n000004.jpg 0\n")
    folder = "img_align_celeba/"
    assert split("celeba", tmp_path) == {
        "train": [folder + "000001.jpg", folder + "000004.jpg"],
        "validation": [folder + "000003.jpg"],
        "test": [folder + "000002.jpg"],
    }
    partition.write_text("000001.jpg 0\n000005.jpg 0\n")
    with pytest.raises(InputError, match="000005.jpg is missing, though celeba's own split names it"):
        split("celeba", tmp_path)
    partition.write_text("000001.jpg 0\n000002.jpg 3\n")
    with pytest.raises(InputError, match=r"list_eval_partition.txt:2: is not a file's name and 0, 1 or 2"):
        split("celeba", tmp_path)


def test_dtd_by_its_first_split_with_paths_below_images(tmp_path):
    lay_out(tmp_path, *(f"dtd/images/banded/banded_{n}.jpg" for n in (1, 2, 3)))
    (tmp_path / "dtd" / "labels").mkdir()
    for name, number in (("train1.txt", 2), ("val1.txt", 3), ("test1.txt", 1)):
        (tmp_path / "dtd" / "labels" / name).write_text(f"banded/banded_{number}.jpg\n")
    expected = {"train": 2, "validation": 3, "test": 1}
    for root in (tmp_path, tmp_path / "dtd"):
        assert datasets.split_of("dtd", root) == {
            part: [str(tmp_path / "dtd" / "images" / "banded" / f"banded_{number}.jpg")]
            for part, number in expected.items()
        }
    (tmp_path / "dtd" / "labels" / "val1.txt").unlink()
    with pytest.raises(InputError, match="labels holds no val1.txt"):
        split("dtd", tmp_path)


def test_the_last_images_by_number_validate(tmp_path):
    lay_out(tmp_path, *(f"CelebA-HQ-img/{n}.jpg" for n in range(2003)))
    found = split("celebahq", tmp_path)
    assert found["train"] == [f"CelebA-HQ-img/{n}.jpg" for n in range(3)]
    assert found["validation"][0] == "CelebA-HQ-img/3.jpg" and len(found["validation"]) == 2000
    lay_out(tmp_path, *(f"CelebA-HQ-img/{n}_edge.png" for n in range(2003)))
    assert split("celebahq", tmp_path) == found  # edges written beside the images are none
    few = tmp_path / "few"
    lay_out(few, "CelebA-HQ-img/0.jpg")
    with pytest.raises(InputError, match="holds 1 images, not more than the 2000 for validation"):
        split("celebahq", few)


def test_facades_are_the_photographs_not_the_labels(tmp_path):
    for n in range(101):
        lay_out(tmp_path, f"base/cmp_b{n:04d}.jpg", f"base/cmp_b{n:04d}.png", f"base/cmp_b{n:04d}.xml")
    lay_out(tmp_path, "extended/cmp_x0001.jpg", "extended/cmp_x0001.png")
    found = split("facade", tmp_path)
    assert found["train"] == ["base/cmp_b0000.jpg", "extended/cmp_x0001.jpg"] and len(found["validation"]) == 100


@pytest.mark.parametrize(
    "name, train, validation",
    [
        ("places2", "data_256/a/abbey/1.jpg", "val_256/Places365_val_1.jpg"),
        ("places2", "places/train/abbey/1.jpg", "places/val/abbey/2.jpg"),
        ("imagenet", "ILSVRC/Data/CLS-LOC/train/n01/a.JPEG", "ILSVRC/Data/CLS-LOC/val/b.JPEG"),
        ("imagenet", "train/n01/a.JPEG", "val/n01/b.JPEG"),
        ("paris", "paris_train_original/a.JPG", "paris_eval/paris_eval_gt/b.png"),
        ("cars", "cars_train/00001.jpg", "cars_test/00001.jpg"),
    ],
)
def test_splits_that_are_folders(tmp_path, name, train, validation):
    lay_out(tmp_path, train, validation)
    assert split(name, tmp_path) == {"train": [train], "validation": [validation]}


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        cli.run(datasets.main, arguments)
    return ended.value.code


def test_the_lists_train(tmp_path, capsys):
    lay_out(tmp_path, "cars_train/1.jpg", "cars_train/2.jpg", "cars_test/3.jpg")
    assert run("cars", "--folder", str(tmp_path), "--output", str(tmp_path / "lists" / "cars")) == 0
    assert "train.flist: 2 images\n" in capsys.readouterr().out
    assert list_files(str(tmp_path / "lists" / "cars" / "train.flist")) == [
        str(tmp_path / "cars_train" / name) for name in ("1.jpg", "2.jpg")
    ]


def test_all_are_told_of(capsys):
    assert run() == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[:9]] == list(datasets.DATA_SETS)
    for name, data_set in datasets.DATA_SETS.items():
        assert run(name) == 0
        assert data_set.address in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["mnist"], "there is no data set 'mnist': known are celeba, "),
        (["cars", "--folder", "nowhere"], "nowhere is not a folder"),
        (["cars", "--folder", "."], "holds no cars_train: name the folder in which that lies"),
        (["cifar10", "--folder", "."], "cifar10 needs no lists"),
        (["--folder", "."], "name the data set first"),
    ],
)
def test_mistakes_are_sentences(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    assert sentence in capsys.readouterr().err


def test_configs_named_are_there_and_name_their_data_set():
    from runs import ROOT

    others = {"quickstart", "photos", "finetune"}
    of_sets = [name for data_set in datasets.DATA_SETS for name in datasets.configs_of(data_set)]
    assert all(datasets.configs_of(data_set) for data_set in datasets.DATA_SETS)
    files = {path.stem for path in (ROOT / "configs").glob("*.yml")}
    assert sorted(of_sets) == sorted(name for name in files if name.split("_")[0] not in others)
    for name in of_sets:
        data = yaml.safe_load((ROOT / "configs" / f"{name}.yml").read_text())["data"]
        assert data["train"].startswith(f"data/{name.split('_')[0]}".replace("cifar10", "cifar-10")), name
