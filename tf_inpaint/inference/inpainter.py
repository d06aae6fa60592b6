"""Inpainter: load a checkpoint once, complete pictures of any size as NumPy arrays."""

from __future__ import annotations

import dataclasses
import re
from functools import partial

import numpy as np
import tensorflow as tf

from tf_inpaint.checkpoints import open_checkpoint
from tf_inpaint.checkpoints.description import describe
from tf_inpaint.checkpoints.load import load_weights
from tf_inpaint.config import load_config, options_from_dict
from tf_inpaint.errors import InputError
from tf_inpaint.inference.blending import blend
from tf_inpaint.inference.graph import Completion, padded_sides
from tf_inpaint.inference.memory import (
    STRATEGIES,
    attention_share,
    complete_cropped,
    complete_resized,
    installed_memory,
    memory_needed,
    parse_memory,
)
from tf_inpaint.layers.contextual_attention import ContextualAttention
from tf_inpaint.layers.precision import set_precision
from tf_inpaint.logs import without_warnings
from tf_inpaint.ops.boxes import bounds, mirrored
from tf_inpaint.ops.levels import EDGE_THRESHOLD, MASK_THRESHOLD
from tf_inpaint.recipes import RECIPES

_PUBLISHED_SIZE = 256
RELEASE_PADDING = "SAME"  # what the release's test program runs its checkpoints with, whatever they were trained with


class Inpainter:
    """Completes pictures: whatever lies under the mask is drawn anew, every other pixel is kept bit for bit.

    Args:
        recipe: a recipe whose generator is built and holds the weights.
        max_pixels: largest picture accepted, height x width; None is whatever memory allows.
        origin: where the weights come from, a line for people.
        max_memory: how much memory completing may take, in bytes or as "8G"; None is what the machine has.
        strategy: "exact", "crop" or "resize", see `tf_inpaint.inference.memory`.
        precision: what convolutions compute in, see `tf_inpaint.layers.precision`; the recipe's networks keep it.
        trained_size: side of the pictures that the network was trained on, which "crop" and "resize" go by.
        residuals: strength, in [0, 1], of the fine detail that holes get from what contextual attention matched, see
            `ops.residuals`; 0 is what the network draws.
    Raises:
        InputError: if `max_memory` cannot be read, the strategy is of no use to the model, or `residuals` is out of
            range or asked of a model without contextual attention.
        ValueError: if the strategy is none.
    Call `Inpainter.load` to get one from a checkpoint.
    """

    def __init__(
        self,
        recipe,
        max_pixels=None,
        origin="",
        max_memory=None,
        strategy="exact",
        precision="float32",
        trained_size=_PUBLISHED_SIZE,
        residuals=0.0,
    ):
        if strategy not in STRATEGIES:
            raise ValueError(f"`strategy` must be one of {', '.join(STRATEGIES)}. Received: {strategy!r}")
        if strategy != "exact" and recipe.generator.fixed_size:
            raise InputError(f"this model looks at a window around the hole anyway: leave out strategy {strategy}")
        if not 0 <= residuals <= 1:
            raise InputError(f"residuals is a strength, 0 to 1, not {residuals}")
        if residuals and not _matches_patches(recipe):
            raise InputError("this model matches no patches by contextual attention: leave out residuals")
        self.recipe = recipe
        self.residuals = residuals
        self.strategy = strategy
        self.trained_size = trained_size
        self.max_pixels = max_pixels
        self.max_memory = installed_memory() if max_memory is None else parse_memory(max_memory)
        attention = recipe.generator.attention
        for layer in attention.layers if attention else ():
            layer.max_memory = attention_share(self.max_memory)
        for network in (recipe.generator, recipe.discriminator):
            set_precision(network, precision)
        self.origin = origin
        plane = tf.TensorSpec([None, None, None], tf.bool)
        signature = [tf.TensorSpec([None, None, None, 3], tf.uint8), plane, plane]
        self._forward, self._fill = (
            tf.function(completion, input_signature=signature, autograph=False)
            for completion in (Completion(recipe, whole=whole, residuals=residuals) for whole in (True, False))
        )

    @classmethod
    def load(
        cls,
        checkpoint_dir=None,
        weights=None,
        *,
        padding=None,
        max_pixels=None,
        max_memory=None,
        strategy="exact",
        precision="float32",
        residuals=None,
    ):
        """An Inpainter from a checkpoint of this project or of the authors.

        Args:
            checkpoint_dir: a run folder, a folder with a checkpoint, its prefix or .index file, or PEN-Net's .pth file;
                weights in one .npz file; or the folder of a model exported for serving, of which a `SavedInpainter`
                is made.
            weights: name of weights shipped with the package, see `checkpoints.list_weights`. With neither this nor
                `checkpoint_dir`, the default ones.
            padding: "SAME", "SYMMETRIC" or "REFLECT"; by default what a run was trained with, and "SAME" for the
                authors' DeepFill checkpoints, as in their test program.
            max_pixels: largest picture accepted, height x width; by default whatever memory allows.
            max_memory: how much memory completing may take, in bytes or as "8G"; by default what the machine has.
            strategy: "exact" shows the network the whole picture, "crop" the part around the hole, "resize" that part
                at the size of its training, for holes far larger than those it knows.
            precision: "float32"; or "mixed_bfloat16" or "mixed_float16", in which convolutions compute, for speed on
                devices that have them: a picture's levels change by a few at most.
            residuals: strength, 0 to 1, of fine detail taken from where contextual attention looked; by default what
                a weight file says suits it, and 0 for everything else.
        Raises:
            InputError: if there is nothing to load, or it cannot be used.
        """
        checkpoint = open_checkpoint(checkpoint_dir, weights)
        if checkpoint.kind == "exported":
            precision = None if precision == "float32" else precision
            own = {"padding": padding, "max_memory": max_memory, "precision": precision, "residuals": residuals}
            for name, value in own.items():
                if value is not None:
                    path = checkpoint.path
                    raise InputError(f"{path} is an exported model, whose {name} is its own: leave out {name}")
            return SavedInpainter(checkpoint.path, max_pixels, strategy)
        description = describe(checkpoint)
        recipe, trained_size = _recipe(checkpoint, description, padding)
        if residuals is None:
            residuals = checkpoint.about.residuals if checkpoint.about else 0.0
        if recipe.completes_with_critic:
            recipe.build(recipe.generator.minimum_size, recipe.generator.minimum_size)
        else:
            recipe.build_generator()
        discriminator = recipe.discriminator if recipe.completes_with_critic else None
        report = load_weights(checkpoint, recipe.generator, discriminator)
        origin = f"{checkpoint.path}: {description}: {report}" + (f", residuals {residuals:g}" if residuals else "")
        return cls(recipe, max_pixels, origin, max_memory, strategy, precision, trained_size, residuals)

    @property
    def takes_edges(self):
        """Whether the model is guided by a sketch."""
        return self.recipe.generator.guided

    @property
    def blending(self):
        """Whether completions are blended into the known pixels' colours."""
        return self.recipe.blending

    @property
    def graphs(self):
        """How many graphs have been built, whatever the sizes: one of those that complete, one of all outputs."""
        return sum(graph.experimental_get_tracing_count() for graph in (self._forward, self._fill))

    def complete(self, image, mask, edges=None):
        """Completes one picture or a batch.

        Args:
            image: uint8 [H, W, 3] or [B, H, W, 3], RGB, of any size.
            mask: bool (True = hole) or uint8 (above half = hole), [H, W] or [B, H, W]; one mask serves a whole batch.
            edges: a sketch for the hole, for guided models only: bool (True = line) or uint8 (above 0.6 of white =
                line), [H, W] or [B, H, W]; one sketch serves a whole batch, None is an empty one.
        Returns:
            uint8 of the shape of `image`.
        Raises:
            InputError: if the picture is too large.
            ValueError: if an argument has another type or shape.
        """
        return self.outputs(image, mask, edges, whole=False)["completed"]

    def outputs(self, image, mask, edges=None, whole=True):
        """Everything the networks say about one picture or a batch; arguments as `complete`.

        Args:
            whole: False asks for "completed" alone. Networks then draw the rectangle around the holes and look only at
                what it depends on: the same up to rounding, so that a pixel may be a level off.
        Returns:
            dict of arrays of the height and width of `image`:
            "completed": uint8, the picture completed;
            "coarse": uint8, the same with the first stage's prediction;
            "attention": uint8, where each place looked for its filling, as optical-flow colours (white = at itself);
            "predicted": float32 in [-1, 1], the last stage's raw prediction, known pixels included, without residuals.
            A model without a coarse stage or attention lacks that entry.
        """
        images, holes, lines = self._arrays(image, mask, edges)
        if self.strategy == "exact":
            results = self._run(images, holes, lines, whole)
        else:
            resized = partial(complete_resized, residuals=self.residuals)
            by_part = complete_cropped if self.strategy == "crop" else resized
            run = partial(self._run, whole=whole, with_offsets=self.strategy == "resize")
            parts = [by_part(run, *picture, self.trained_size) for picture in zip(images, holes, lines)]
            results = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
        return results if np.ndim(image) == 4 else {name: value[0] for name, value in results.items()}

    def joint_size(self, height, width):
        """The (height, width) that the network sees of a picture; those with the same may be completed together.

        None for pictures that are completed one by one: those of strategies other than "exact".
        """
        if self.strategy != "exact":
            return None
        if self.recipe.generator.fixed_size:
            return height, width
        return tuple(padded_sides(self.recipe.generator, height, width))

    def outputs_together(self, pictures, whole=True):
        """`outputs` of pictures that share a `joint_size`, from one pass of the network.

        Args:
            pictures: list of (image, mask, edges), each as `outputs` takes one.
            whole: as `outputs`; the rectangle is the one around the holes of all.
        Returns:
            list of dicts, as of `outputs` one by one, up to rounding: a completed pixel may be a level off.
        Raises:
            InputError: if they take too much memory together.
            ValueError: if their sizes do not go together, or an argument has another type or shape.
        """
        sizes = {self.joint_size(*np.shape(image)[:2]) for image, _, _ in pictures}
        if len(sizes) != 1 or None in sizes:
            raise ValueError(f"`pictures` must share a `joint_size`. Received: {sizes}")
        padded = [self._continued(*self._arrays(*picture), *next(iter(sizes))) for picture in pictures]
        together = self._run(*(np.concatenate(planes) for planes in zip(*padded)), whole)
        sides = [np.shape(image)[:2] for image, _, _ in pictures]
        return [
            {name: value[index, :height, :width] for name, value in together.items()}
            for index, (height, width) in enumerate(sides)
        ]

    def most_at_once(self, height, width, wanted):
        """How many pictures of a joint size, `wanted` at most, `max_memory` allows in one pass; at least 1."""
        fits = (count for count in range(wanted, 1, -1) if self.memory(height, width, count) <= self.max_memory)
        return next(fits, 1)

    def memory(self, height, width, batch=1, holes=None):
        """About how many bytes completing pictures of this size takes, program included; None: unknown.

        Args:
            height, width, batch: of the pictures.
            holes: bool [H, W] or [B, H, W], True = hole, if they alone are asked for; None draws all there is.
        """
        generator = self.recipe.generator
        if generator.fixed_size:
            return memory_needed(generator, generator.fixed_size, generator.fixed_size, self.max_memory, batch)
        around = None if holes is None or self.blending else _sides_around(holes)
        return memory_needed(generator, *padded_sides(generator, height, width), self.max_memory, batch, around)

    def _arrays(self, image, mask, edges):
        """(uint8 [B, H, W, 3], bool [B, H, W], bool [B, H, W]) of what `complete` takes."""
        images, holes = _as_batch(image, mask)
        if edges is not None and not self.takes_edges:
            raise ValueError("`edges` is for guided models, this one takes none. Received: " + _describe(edges))
        lines = np.zeros_like(holes) if edges is None else _as_planes("edges", edges, EDGE_THRESHOLD, images)
        return images, holes, lines

    @staticmethod
    def _continued(images, holes, lines, height, width):
        """The same below and to the right as their mirror image, as `Completion` does it."""
        rows, columns = (mirrored(np.arange(side), own).numpy() for side, own in zip((height, width), holes.shape[1:3]))
        return [planes[:, rows][:, :, columns] for planes in (images, holes, lines)]

    def _run(self, images, holes, lines, whole, with_offsets=False):
        """`outputs` of uint8 [B, H, W, 3], bool [B, H, W] and bool [B, H, W], whatever the strategy.

        `with_offsets` adds what residuals were taken by, "offsets" of `Completion`, where there are any.
        """
        self._check_size(*images.shape[:3], None if whole else holes)
        height, width = images.shape[1:3]
        try:
            # Blending looks at what is drawn beside the hole.
            raw = (self._forward if whole or self.blending else self._fill)(images, holes, lines)
        except tf.errors.ResourceExhaustedError as error:
            raise InputError(
                f"out of memory completing {len(images)} picture(s) of {width} x {height} pixels: "
                "take fewer at once or smaller ones"
            ) from error
        raw = {name: value.numpy() for name, value in raw.items() if with_offsets or name != "offsets"}
        if self.blending:
            examples = zip(images, raw["completed"], holes)
            raw["completed"] = np.stack([blend(image, drawn, hole) for image, drawn, hole in examples])
        known = ~holes[..., np.newaxis]
        return {
            name: np.where(known, images, value) if name in ("completed", "coarse") else value
            for name, value in raw.items()
        }

    def _check_size(self, batch, height, width, holes):
        if self.max_pixels is not None and height * width > self.max_pixels:
            raise InputError(
                f"{width} x {height} pixels are more than the limit of {self.max_pixels}; "
                "raise max_pixels or take a smaller picture"
            )
        needed = self.memory(height, width, batch, holes)
        if needed is not None and needed > self.max_memory:
            many = f"{batch} pictures of " if batch > 1 else ""
            raise InputError(
                f"{many}{width} x {height} pixels would take about {needed / 2**30:.1f} GiB of memory, more than the "
                f"{self.max_memory / 2**30:.1f} GiB allowed; raise max_memory, take a smaller picture, "
                "or the strategy crop or resize"
            )


class SavedInpainter(Inpainter):
    """An Inpainter of a model exported for serving; it has the outputs that were exported, never "predicted".

    Args:
        folder: of a version, with its saved_model.pb.
        max_pixels: largest picture accepted, height x width; None is the export's own limit, which holds anyway.
        strategy: as `Inpainter`.
    Raises:
        InputError: if the folder holds no such model.
    """

    takes_edges = blending = False
    graphs = None  # they are part of the export
    residuals = 0.0  # those of the export are part of it

    def joint_size(self, height, width):
        """None: pictures are completed one by one."""

    def __init__(self, folder, max_pixels=None, strategy="exact"):
        try:
            with without_warnings("absl"):  # that it has no gradients, which nobody wants of it
                self._model = tf.saved_model.load(folder)  # kept, since its weights live no longer than it
        except (tf.errors.OpError, OSError, RuntimeError, ValueError, KeyError) as error:
            raise InputError(f"{folder} cannot be read as an exported model ({error})") from error
        serve = self._model.signatures.get("serving_default")
        inputs = serve.structured_input_signature[1] if serve is not None else {}
        if not {"image", "mask"} <= set(inputs) <= {"image", "mask", "edges"}:
            raise InputError(f"{folder} is a SavedModel, but not one of this project: it takes {sorted(inputs)}")
        self._serve, self.takes_edges = serve, "edges" in inputs
        self._size = inputs["image"].shape[1:3]
        self.max_pixels = max_pixels
        self.strategy = strategy
        self.trained_size = _PUBLISHED_SIZE
        self.origin = f"{folder}: exported model"

    def memory(self, height, width, batch=1, holes=None):
        """None: an exported model does not tell."""

    def _fill(self, images, holes, lines):
        planes = {
            "image": images,
            "mask": _as_levels(holes),
            **({"edges": _as_levels(lines)} if self.takes_edges else {}),
        }
        try:
            outputs = self._serve(**{name: tf.constant(plane) for name, plane in planes.items()})
        except tf.errors.InvalidArgumentError as error:
            said = re.search(r"assertion failed: (.*)", str(error))
            raise InputError(f"the exported model refuses this: {said[1] if said else error}") from error
        names = {"attention_flow": "attention"}
        return {names.get(name, name): value for name, value in outputs.items()}

    _forward = _fill  # an exported model draws what it was exported for

    def _check_size(self, batch, height, width, holes):
        super()._check_size(batch, height, width, holes)
        if not self._size.is_compatible_with([height, width]):
            raise InputError(f"this model was exported for pictures of {self._size[1]} x {self._size[0]} pixels alone")


def _sides_around(holes):
    """(height, width) of the rectangle around all holes: bool [..., H, W]; (0, 0) of none."""
    hole = holes.reshape(-1, *holes.shape[-2:], 1).any(axis=0)
    return tuple(max(0, int(side)) for side in bounds(hole).size)


def _as_levels(planes):
    """bool [B, H, W] as uint8 0 and 255 [B, H, W, 1]."""
    return np.where(planes, np.uint8(255), np.uint8(0))[..., np.newaxis]


def _recipe(checkpoint, description, padding):
    """(recipe, side of the pictures trained on) of a checkpoint: by the config beside a run, otherwise by variables."""
    trained_size = _PUBLISHED_SIZE
    config_file = checkpoint.config_file if description.kind == "run" else None
    about = checkpoint.about
    if about is not None:
        options = options_from_dict(about.recipe, about.options, checkpoint.path)
        name, trained_size = about.recipe, about.trained_size
    elif config_file is not None:
        config = load_config(config_file, report=lambda note: None)
        name, options, trained_size = config.recipe, config.options, min(config.data.image_size)
    elif description.recipe is not None:
        name = description.recipe
        options = RECIPES[name].Options(**description.options)
        if description.kind == "release" and options.padding:
            padding = padding or RELEASE_PADDING
    else:
        raise InputError(f"{checkpoint.path} is a run whose model is not known and whose config.yml is missing")
    if padding is not None and options.padding is None:
        raise InputError(f"this model ({name}) has one padding only: leave out padding")
    if padding is not None:
        options = dataclasses.replace(options, padding=padding)
    return RECIPES[name](options), trained_size


def _matches_patches(recipe):
    """Whether a recipe's outputs have "offsets" of patches."""
    attention = recipe.generator.attention
    if attention is None or recipe.options.pretrain_coarse:
        return False
    return any(isinstance(layer, ContextualAttention) for layer in attention.layers)


def _as_batch(image, mask):
    """(uint8 [B, H, W, 3], bool [B, H, W]) of what `complete` takes."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim not in (3, 4) or image.shape[-1] != 3 or 0 in image.shape:
        raise ValueError(f"`image` must be uint8 [H, W, 3] or [B, H, W, 3]. Received: {_describe(image)}")
    images = image if image.ndim == 4 else image[np.newaxis]
    return images, _as_planes("mask", mask, MASK_THRESHOLD, images)


def _as_planes(name, plane, threshold, images):
    """bool [B, H, W] of a mask or sketch for `images`."""
    plane = np.asarray(plane)
    if plane.shape not in (images.shape[1:3], images.shape[:3]):
        raise ValueError(
            f"`{name}` must be [H, W] or [B, H, W] of the image {images.shape[:3]}. Received: {_describe(plane)}"
        )
    if plane.dtype == np.uint8:
        if plane.max() == 1:
            raise ValueError(
                f"`{name}` as uint8 counts where above {threshold}; pass one of 0 and 1 as bool. "
                "Received: largest value 1"
            )
        plane = plane > threshold
    elif plane.dtype != np.bool_:
        raise ValueError(f"`{name}` must be bool or uint8. Received: {_describe(plane)}")
    return np.broadcast_to(plane, images.shape[:3])


def _describe(value):
    value = np.asarray(value)
    return f"{value.dtype} {list(value.shape)}"
