"""CIFAR-10's python version: images in order, train and test apart, and no pickle that does anything."""

import io
import pickle
import tarfile

import numpy as np
import pytest
from example_batches import first_batch, image_data, validation_batch

from tf_inpaint.data.cifar import is_cifar, labels_of, read_cifar
from tf_inpaint.errors import InputError
from tf_inpaint.ops.images import to_uint8


def _batch(first, count):
    pixels = np.stack([np.full([3, 32, 32], first + i, np.uint8) for i in range(count)])
    pixels[:, 0, 0, 0] = 255  # red, top left
    names = [f"cat_{first + i}.png".encode() for i in range(count)]
    labels = [(first + i) % 10 for i in range(count)]
    return pickle.dumps({b"data": pixels.reshape(count, -1), b"labels": labels, b"filenames": names}, protocol=2)


@pytest.fixture(params=["folder", "archive"])
def source(request, tmp_path):
    files = {"data_batch_1": _batch(0, 3), "data_batch_2": _batch(3, 3), "test_batch": _batch(100, 2)}
    if request.param == "folder":
        folder = tmp_path / "cifar-10-batches-py"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return folder
    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as archive:
        for name, content in reversed(files.items()):
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return tmp_path / "cifar-10-python.tar.gz"


def test_images_come_in_order_and_in_colour(source):
    assert is_cifar(source) and is_cifar(str(source))
    pixels, names = read_cifar(source, "train")
    assert pixels.shape == (6, 32, 32, 3) and pixels[:, 5, 5, 1].tolist() == [0, 1, 2, 3, 4, 5]
    assert pixels[2, 0, 0].tolist() == [255, 2, 2]
    assert names[4].endswith("data_batch_2:cat_4.png")
    assert read_cifar(source, "test")[0][:, 9, 9, 0].tolist() == [100, 101]


def test_training_reads_it_as_it_is(source):
    data = image_data(source, validation=str(source), flip=False, seed=1)
    assert data.count == 6
    levels, views = (to_uint8(batch["image"]).numpy() for batch in (first_batch(data, 6), validation_batch(data, 2)))
    assert sorted(levels[:, 9, 9, 0]) == [0, 1, 2, 3, 4, 5]
    assert views[:, 9, 9, 0].tolist() == [100, 101]


def test_classes_are_read_by_name(source):
    pixels, names = read_cifar(source, "train", labels_of(["automobile", "cat"]))  # 1 and 3
    assert pixels[:, 9, 9, 0].tolist() == [1, 3] and names[1].endswith("data_batch_2:cat_3.png")
    data = image_data(source, validation=str(source), classes="automobile")
    assert data.count == 1 and to_uint8(validation_batch(data, 1)["image"]).numpy()[0, 9, 9, 0] == 101
    with pytest.raises(InputError, match="^data.classes: .* no 'kitten'"):
        image_data(source, classes="kitten")
    with pytest.raises(InputError, match="no train images of truck"):
        read_cifar(source, "train", labels_of("truck"))


def test_classes_are_of_cifar_alone(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match="data.classes: is for CIFAR-10 as downloaded, which data.train is not"):
        image_data(tmp_path, classes=("cat",))


class _Harmful:
    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.parametrize(
    "content, reason",
    [(pickle.dumps(_Harmful()), "builtins.print"), (b"text", "no batch"), (_batch(0, 3)[:-900], "no batch")],
)
def test_what_is_no_batch_is_refused(tmp_path, capsys, content, reason):
    (tmp_path / "data_batch_1").write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        read_cifar(tmp_path, "train")
    assert str(tmp_path / "data_batch_1") in str(caught.value) and "ran" not in capsys.readouterr().out


def test_a_damaged_or_missing_archive_is_one_sentence(tmp_path):
    path = tmp_path / "cifar-10-python.tar.gz"
    with pytest.raises(InputError, match="does not exist; it is to be had from https://"):
        read_cifar(path, "train")
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match="cannot be read"):
        read_cifar(path, "train")
    assert not is_cifar(tmp_path) and not is_cifar(["a"])
