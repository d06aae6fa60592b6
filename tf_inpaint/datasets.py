"""The command `python -m tf_inpaint.datasets`: where the papers' data sets are to be had, and lists of their images.

Lists are made from a data set as it is unpacked, by its official split where it has one; no file moves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from tf_inpaint import cli
from tf_inpaint.config.by_name import shipped_configs
from tf_inpaint.errors import InputError
from tf_inpaint.io.atomic import replace
from tf_inpaint.io.listing import list_files, split_edges

Split = dict  # "train", "validation" or "test" -> paths


@dataclass(frozen=True)
class DataSet:
    """A data set of the papers.

    Attributes:
        title: what it is called, and what it holds.
        address: of the page that hands it out.
        terms: what that page asks, in short; the page counts.
        unpacked: what lies in its folder once unpacked.
        split: how lists divide it.
        lists: function of that folder to a `Split`; None where configs read the download itself.
    """

    title: str
    address: str
    terms: str
    unpacked: str
    split: str
    lists: Callable[[Path], Split] | None


def main(argv: Sequence[str]) -> int:
    """Tells of all data sets, of one, or writes its lists; returns the exit code."""
    parser = cli.Parser(
        prog="python -m tf_inpaint.datasets",
        description="Tell where a data set of the papers is to be had, or write lists of its images.",
    )
    add = parser.add_argument
    add("name", nargs="?", help=f"one of {', '.join(DATA_SETS)}; without it, all are named")
    add("--folder", help="where it is unpacked: writes train.flist, validation.flist ... of it")
    add("--output", help="folder of the lists (default: data/NAME)")
    args = parser.parse_args(argv)
    if args.name is None:
        if args.folder or args.output:
            parser.error("name the data set first")
        width = max(map(len, DATA_SETS))
        print("\n".join(f"{name:<{width}}  {data_set.title}" for name, data_set in DATA_SETS.items()))
        print("\nMore of one: python -m tf_inpaint.datasets NAME")
        return cli.DONE
    if args.name not in DATA_SETS:
        raise InputError(f"there is no data set {args.name!r}: known are {', '.join(DATA_SETS)}")
    data_set = DATA_SETS[args.name]
    if not args.folder:
        print(describe(args.name))
        return cli.DONE
    if data_set.lists is None:
        raise InputError(f"{args.name} needs no lists: {data_set.split}")
    split = split_of(args.name, args.folder)
    output = Path(args.output or f"data/{args.name}")
    output.mkdir(parents=True, exist_ok=True)
    for part, files in split.items():
        path = output / f"{part}.flist"
        replace(path, "".join(f"{file}\n" for file in files))
        print(f"{path}: {len(files)} images")
    return cli.DONE


def help_for(config: str, sources: Iterable[str]) -> str:
    """The command that helps where a config's images are missing, and how.

    Args:
        config: the config's file.
        sources: what it reads.
    """
    if any(source.startswith("data/samples/") for source in sources):
        return "python -m tf_inpaint.samples --output data/samples writes it"
    name = _data_set_of(Path(config).stem)
    if name not in DATA_SETS:
        return "python -m tf_inpaint.datasets tells of the papers' data sets"
    return f"python -m tf_inpaint.datasets {name} tells where it is to be had"


def configs_of(name: str) -> list[str]:
    """The shipped configs that train on a data set: those whose names begin with its own."""
    return [config for config in shipped_configs() if _data_set_of(config) == name]


def _data_set_of(config: str) -> str:
    return config.split("_")[0]


def describe(name: str) -> str:
    """What a user must know of a data set, a few lines."""
    data_set, configs = DATA_SETS[name], configs_of(name)
    lines = [
        data_set.title,
        f"  from      {data_set.address}",
        f"  terms     {data_set.terms}",
        f"  unpacked  {data_set.unpacked}",
        f"  split     {data_set.split}",
        f"  configs   {', '.join(configs)}",
    ]
    if data_set.lists:
        lists = f"data/{name}"
        lines += [
            f"  lists     python -m tf_inpaint.datasets {name} --folder WHERE_IT_IS_UNPACKED",
            f"  training  python train.py --config configs/{configs[0]}.yml "
            f"--set data.train={lists}/train.flist data.validation={lists}/validation.flist",
        ]
    return "\n".join(lines)


def split_of(name: str, folder) -> Split:
    """The images of a data set unpacked in a folder: {"train": absolute paths, "validation": ...}.

    Raises:
        InputError: if the folder does not hold it, naming what is missed.
    """
    root = Path(os.path.abspath(os.path.expanduser(folder)))
    if not root.is_dir():
        raise InputError(f"{folder} is not a folder")
    return {part: [str(file) for file in files] for part, files in DATA_SETS[name].lists(root).items()}


def _find(root, *names):
    """The first of the names below the root, which may be the data set's folder or the one it lies in."""
    for name in names:
        for path in (root / name, *sorted(root.glob(f"*/{name}"))):
            if path.exists():
                return path
    raise InputError(f"{root} holds no {' or '.join(names)}: name the folder in which that lies")


def _present(split, name, root):
    """A split that a list of the data set names; of folders that were walked, nobody need look again."""
    absent = next((file for files in split.values() for file in files if not file.is_file()), None)
    if absent:
        raise InputError(f"{absent} is missing, though {name}'s own split names it: is {root} unpacked whole?")
    return split


def _images(folder, pattern="*"):
    files = sorted(str(path) for path in folder.glob(pattern) if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        raise InputError(f"{folder} holds no images")
    return _without_edges(files)


def _below(folder):
    return _without_edges(list_files(str(folder)))


def _without_edges(files):
    """Those that are no edges, which `tf_inpaint.edges` writes beside their images."""
    return [Path(file) for file in split_edges(files)[0]]


def _last(files: Iterable[Path], count):
    """The last `count` of files in the order of their numbers as validation."""
    files = sorted(files, key=lambda path: (int("".join(filter(str.isdigit, path.stem)) or 0), path.name))
    if len(files) <= count:
        raise InputError(f"{files[0].parent} holds {len(files)} images, not more than the {count} for validation")
    return {"train": files[:-count], "validation": files[-count:]}


def _celeba(root):
    images, partition = _find(root, "img_align_celeba", "img_celeba"), _find(root, "list_eval_partition.txt")
    parts = {"0": "train", "1": "validation", "2": "test"}
    split = {part: [] for part in parts.values()}
    for number, line in enumerate(partition.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split()
        if len(words) != 2 or words[1] not in parts:
            raise InputError(f"{partition}:{number}: is not a file's name and 0, 1 or 2")
        split[parts[words[1]]].append(images / words[0])
    return _present(split, "celeba", root)


def _celebahq(root):
    return _last(_images(_find(root, "CelebA-HQ-img", "celeba_hq_256", "data1024x1024")), 2000)


def _places2(root):
    train, validation = _find(root, "data_256", "data_large", "train"), _find(root, "val_256", "val_large", "val")
    return {"train": _below(train), "validation": _below(validation)}


def _imagenet(root):
    images = _find(root, "ILSVRC/Data/CLS-LOC", "train").parent
    images = images / "CLS-LOC" if images.name == "Data" else images
    return {"train": _below(_find(images, "train")), "validation": _below(_find(images, "val"))}


def _dtd(root):
    images, labels = _find(root, "images"), _find(root, "labels")

    def named_in(name):
        return [images / line.strip() for line in (labels / name).read_text().splitlines() if line.strip()]

    missing = [name for name in ("train1.txt", "val1.txt", "test1.txt") if not (labels / name).is_file()]
    if missing:
        raise InputError(f"{labels} holds no {missing[0]}")
    split = {"train": named_in("train1.txt"), "validation": named_in("val1.txt"), "test": named_in("test1.txt")}
    return _present(split, "dtd", root)


def _paris(root):
    train, validation = _find(root, "paris_train_original"), _find(root, "paris_eval_gt", "paris_eval")
    return {"train": _images(train), "validation": _images(validation)}


def _facade(root):
    base, extended = _find(root, "base"), _find(root, "extended")
    split = _last(_images(base, "*.jpg"), 100)
    return {"train": [*split["train"], *_images(extended, "*.jpg")], "validation": split["validation"]}


def _cars(root):
    return {"train": _images(_find(root, "cars_train")), "validation": _images(_find(root, "cars_test"))}


_RESEARCH = "for research and teaching that is not commercial"
DATA_SETS = {
    "celeba": DataSet(
        "CelebA: 202,599 faces, aligned, 178 x 218",
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        _RESEARCH,
        "img_align_celeba/ (from img_align_celeba.zip) and list_eval_partition.txt (from the folder Eval)",
        "the official one: 162,770 train, 19,867 validation, 19,962 test",
        _celeba,
    ),
    "celebahq": DataSet(
        "CelebA-HQ: 30,000 faces of CelebA, 1024 x 1024",
        "https://github.com/switchablenorms/CelebAMask-HQ",
        _RESEARCH,
        "CelebA-HQ-img/ with 0.jpg to 29999.jpg",
        "none is official: the last 2,000 by number validate, as many as in the DeepFill papers",
        _celebahq,
    ),
    "places2": DataSet(
        "Places2 (Places365): 1.8 million scenes, or 8 million of the challenge",
        "http://places2.csail.mit.edu/download.html",
        "for academic research and teaching",
        "data_256/ (train) and val_256/, or data_large/ and val_large/",
        "the official one: train and validation",
        _places2,
    ),
    "imagenet": DataSet(
        "ImageNet (ILSVRC 2012): 1.28 million photographs",
        "https://image-net.org/download.php",
        "for research and teaching that is not commercial, after registration",
        "ILSVRC/Data/CLS-LOC/train/ and val/, or train/ and val/",
        "the official one: train and validation",
        _imagenet,
    ),
    "dtd": DataSet(
        "Describable Textures: 5,640 textures of 47 kinds",
        "https://www.robots.ox.ac.uk/~vgg/data/dtd/",
        "for research",
        "images/ with a folder for each kind, labels/train1.txt and others with paths relative to images/",
        "the first of the ten official ones: 1,880 train, validation and test each",
        _dtd,
    ),
    "paris": DataSet(
        "Paris StreetView: 14,900 and 100 photographs",
        "https://github.com/pathak22/context-encoder",
        "from the authors on request, for research",
        "paris_train_original/ and paris_eval_gt/ (in paris_eval/)",
        "the official one: train and evaluation",
        _paris,
    ),
    "facade": DataSet(
        "CMP Facade: 606 photographs of facades, rectified",
        "https://cmp.felk.cvut.cz/~tylecr1/facade/",
        "for research; its page asks to be cited",
        "base/ and extended/, photographs as .jpg beside labels as .png",
        "none is official: the last 100 of base validate, 506 train, as many as in PEN-Net's paper",
        _facade,
    ),
    "cars": DataSet(
        "Stanford Cars: 16,185 photographs of cars",
        "https://ai.stanford.edu/~jkrause/cars/car_dataset.html",
        "for research",
        "cars_train/ and cars_test/",
        "the official one: 8,144 train, 8,041 test, which validate here",
        _cars,
    ),
    "cifar10": DataSet(
        "CIFAR-10: 60,000 images of ten kinds, 32 x 32",
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        "its page asks to be cited",
        "cifar-10-python.tar.gz, which need not be unpacked",
        "data.train and data.validation name the archive itself; its test images validate",
        None,
    ),
}

if __name__ == "__main__":
    cli.run(main)
