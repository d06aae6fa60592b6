"""Tasks: images as a protocol has them, each with its mask, made when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable, Iterator, NamedTuple

import numpy as np

from tf_inpaint.errors import InputError
from tf_inpaint.evaluation.named_files import NamedFiles, stem
from tf_inpaint.evaluation.protocols import Masks, Protocol, fit_image
from tf_inpaint.io.images import read_image, write_png
from tf_inpaint.io.listing import list_files, source_root, split_edges


class Task(NamedTuple):
    """An image to complete.

    Attributes:
        index: its place in the list of images.
        name: its path below the folder of images.
        image: uint8 [H, W, 3], the truth.
        mask: bool [H, W], True = hole.
    """

    index: int
    name: str
    image: np.ndarray
    mask: np.ndarray


class Tasks:
    """The tasks of an evaluation.

    Args:
        images: what `list_files` takes.
        protocol: of their size and masks.
        mask_files: for the protocol from_files, what `list_files` takes.
        invert_masks, mask_from: as `Masks` takes them.
        limit: take the first of the images only.
    Attributes:
        names: of the images, in order.
        masks: where their masks come from.
        settings: all that they depend on, flat, for `Journal`.
    Raises:
        InputError: if there are no images or no masks, or two images have the same name.
    """

    def __init__(self, images, protocol: Protocol, mask_files=None, invert_masks=False, limit=None, mask_from="auto"):
        self.protocol = protocol
        files, _ = split_edges(list_files(images))
        root = source_root(images, files)
        if limit is not None:
            if limit < 1:
                raise InputError(f"the limit must be 1 or more, not {limit}")
            files = files[:limit]
        self._files = NamedFiles(files, root)
        self.names = self._files.names
        stems: dict[str, str] = {}
        for name in self.names:
            if stem(name) in stems:
                raise InputError(f"two images have the same name: {stems[stem(name)]} and {name}")
            stems[stem(name)] = name
        self.masks = Masks(protocol, self.names, mask_files, invert_masks, mask_from)

    def __len__(self):
        return len(self._files.files)

    def __getitem__(self, index: int) -> Task:
        image = read_image(self._files.files[index]).rgb
        mask = self.masks.mask(index, self.names[index], image.shape)
        return Task(index, self.names[index], fit_image(image, self.protocol), mask)

    def readable(self, indices: Iterable[int], left_out: dict[int, str]) -> Iterator[Task]:
        """Tasks one by one; of what cannot be read, `left_out` gets the reason."""
        for index in indices:
            try:
                yield self[index]
            except InputError as error:
                left_out[index] = self.reason(index, error)

    def reason(self, index: int, error: InputError) -> str:
        """What an error says of an image, which is "it"."""
        return str(error).replace(self._files.files[index], "it")

    def named(self, left_out: dict[int, str]) -> dict[str, str]:
        """{name: reason} of {index: reason}, in order."""
        return {self.names[index]: reason for index, reason in sorted(left_out.items())}

    @property
    def settings(self) -> dict:
        return {
            "protocol": self.protocol.name,
            "size": self.protocol.size,
            "seed": self.protocol.seed,
            "masks": self.masks.identity,
            "pictures": f"{len(self)} {self._files.digest}",
        }

    def export(self, folder) -> dict[str, str]:
        """Writes images/x.png and masks/x.png (white = hole) of every image x, for other programs to complete.

        The hole is white in the images too: what is to be completed is not shown.

        Returns:
            {name: why not} of images left out.
        """
        left_out: dict[int, str] = {}
        for task in self.readable(range(len(self)), left_out):
            name = f"{stem(task.name)}.png"
            masked_image = np.where(task.mask[..., np.newaxis], np.uint8(255), task.image)
            write_png(Path(folder) / "images" / name, masked_image)
            write_png(Path(folder) / "masks" / name, np.uint8(255) * task.mask)
        return self.named(left_out)
