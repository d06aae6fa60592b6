"""Inpainter: load a checkpoint once, complete images of any size as NumPy arrays."""

from __future__ import annotations

import copy
import os
from functools import partial

import numpy as np
import tensorflow as tf

from tf_inpaint.checkpoints import default_weights, open_checkpoint
from tf_inpaint.errors import InputError
from tf_inpaint.inference.blending import BLENDINGS
from tf_inpaint.inference.graph import KerasEngine
from tf_inpaint.inference.large import (
    HUGE,
    STRATEGIES,
    complete_by_parts,
    complete_cropped,
    complete_resized,
    group_parts,
    thickness,
    thin_parts,
)
from tf_inpaint.inference.memory import GATHERED_BYTES_PER_PIXEL, memory_of_textures
from tf_inpaint.inference.network import PUBLISHED_SIZE, load_network
from tf_inpaint.inference.refinement import Refinement, refined_memory, scales_of
from tf_inpaint.inference.saved_model import SavedModelEngine
from tf_inpaint.inference.texture import redraw_graph
from tf_inpaint.ops.boxes import mirrored
from tf_inpaint.ops.holes import grown
from tf_inpaint.ops.images import to_uint8
from tf_inpaint.ops.levels import EDGE_THRESHOLD, MASK_THRESHOLD

TEXTURES = {"none": None, "patches": redraw_graph()}


class Inpainter:
    """Completes images: whatever lies under the mask is predicted, every other pixel is kept bit for bit.

    Args:
        engine: what completes, see `tf_inpaint.inference.engine`.
        max_pixels: largest image accepted, height x width; None is whatever memory or the engine allows.
        origin: where the weights come from, a line for people.
        strategy: "auto", "exact", "crop" or "resize", see `tf_inpaint.inference.large`; or "refine", for LaMa, see
            `tf_inpaint.inference.refinement`.
        trained_size: side of the images that the network was trained on, which "crop" and "resize" go by.
        exact_pixels: largest image that "exact" shows the network whole, height x width; of larger ones it sees
            what is around each group of holes, at the size of its training where even that is larger. None shows all,
            and with "auto" what the engine says.
        blending: "none"; "feather" or "poisson", by which the hole is brought to the colours around it;
            "fast_marching", to those that fast marching brings into it; None is as the engine does it.
        texture: "none"; or "patches", by which holes are drawn anew from patches of the image, guided by what the
            network predicts, see `tf_inpaint.ops.texture`, but for images with edges in a hole.
        edges_drop: fraction of the images trained on that came without edges, of a guided model.
    Attributes:
        texture, edges_drop: as given.
        recipe, residuals, takes_edges: the engine's; `takes_edges` says whether it is guided by edges.
    Raises:
        InputError: if the strategy is of no use to the model.
        ValueError: if the strategy is none.
    Call `Inpainter.load` to get one from a checkpoint, `Inpainter.of` to get one of networks.
    """

    def __init__(
        self,
        engine,
        max_pixels=None,
        origin="",
        strategy="exact",
        trained_size=PUBLISHED_SIZE,
        exact_pixels=None,
        blending=None,
        texture="none",
        edges_drop=0.0,
    ):
        if strategy not in STRATEGIES:
            raise ValueError(f"`strategy` must be one of {', '.join(STRATEGIES)}. Received: {strategy!r}")
        if strategy not in ("auto", "exact") and engine.fixed_size is not None:
            raise InputError(f"this model looks at a window around the hole anyway: leave out strategy {strategy}")
        if strategy == "refine" and not (engine.recipe and engine.recipe.generator.refinable):
            raise InputError(
                "the strategy refine changes features of LaMa's: it takes no other model, and none that was exported"
            )
        if texture not in TEXTURES:
            raise ValueError(f"`texture` must be one of {', '.join(TEXTURES)}. Received: {texture!r}")
        self.texture, self._redraw = texture, TEXTURES[texture]
        if self._redraw is not None and texture != engine.texture:
            self._redraw.prepare()
        self._blend = _blending(blending or ("poisson" if engine.blending else "none"))
        self.engine = engine
        self._process = os.getpid()
        self._refinement = Refinement(engine.recipe.generator) if strategy == "refine" else None
        self.recipe, self.residuals, self.takes_edges = engine.recipe, engine.residuals, engine.guided
        self.max_pixels = max_pixels
        self.origin = origin
        self.edges_drop = edges_drop
        self.strategy = strategy
        self.trained_size = trained_size
        self.exact_pixels = engine.whole_pixels if exact_pixels is None and strategy == "auto" else exact_pixels
        self._others = []  # of the same networks, that draw otherwise

    @classmethod
    def of(cls, recipe, *, max_memory=None, precision="float32", residuals=0.0, attention="exact", **settings):
        """An Inpainter of a recipe: `KerasEngine` takes what is named here, the constructor other settings."""
        return cls(KerasEngine(recipe, max_memory, precision, residuals, attention), **settings)

    @classmethod
    def load(
        cls,
        checkpoint_dir=None,
        weights=None,
        *,
        padding=None,
        max_pixels=None,
        max_memory=None,
        strategy="auto",
        precision="float32",
        residuals=None,
        attention="exact",
        exact_pixels=None,
        blending=None,
        texture=None,
        temperature=None,
        seed=None,
        trust_saved_model=False,
    ):
        """An Inpainter from a checkpoint of this project or of the authors.

        Args:
            checkpoint_dir: a run folder, a folder with a checkpoint, its prefix or .index file; a PyTorch file of
                PEN-Net's or LaMa's release, or its folder; weights in one .npz file; the folder of a model exported for
                serving; or an open `Checkpoint`.
            weights: name of weights shipped with the package, see `checkpoints.list_weights`. With neither this nor
                `checkpoint_dir`, `checkpoints.default_weights`: where residuals or coarse attention are asked for,
                those that have them.
            padding: "SAME", "SYMMETRIC" or "REFLECT"; by default what a run was trained with, and "SAME" for the
                authors' DeepFill checkpoints, as in their test program.
            max_pixels: largest image accepted, height x width; by default whatever memory allows.
            max_memory: how much memory completing may take, in bytes or as "8G"; by default what the machine has.
            strategy: "auto" is "exact", or "resize" for an image with a hole thicker than twice the images of
                training. "exact" shows the network the whole image, "crop" the part around the hole, "resize" that part
                at the size of its training, for holes far larger than those it knows; "refine", for LaMa, bends what
                it predicts of large images towards what it predicts of smaller ones.
            precision: "float32"; or "mixed_bfloat16" or "mixed_float16", in which convolutions compute, for speed on
                devices that have them: an image's levels change by a few at most.
            residuals: strength, 0 to 1, of fine detail taken from where contextual attention looked; by default what
                a weight file says suits it, also of a run that began with shipped weights; 0 for everything else.
            attention: "exact"; or "coarse", in which contextual attention matches every second row and column only and
                pastes patches twice as large: faster for large images, but finds fewer and worse matches.
            exact_pixels: largest image that "exact" shows the network whole, height x width; of larger ones it
                sees what is around the holes. By default any, but for LaMa with "auto", 2 megapixels.
            blending: "none", "feather", "poisson" or "fast_marching", see `Inpainter`; by default as the model does it.
            texture: "none"; or "patches", which draws holes anew from patches of the image, guided by the network:
                sharp where that is smooth, as in wide holes, for half a second or so an image. Images with edges in a
                hole stay as the network draws them. By default what a weight file says suits it, also of a run
                that began with shipped weights; "none" for everything else.
            temperature, seed: for a model that draws at random: how far from what is likeliest, 0 or more; and
                the whole number that random ones follow from. By default 1 and 0, or as its config says.
            trust_saved_model: take a SavedModel that this project did not export, too. TensorFlow runs whatever it
                contains, which can write files and more: only if you trust who made it.
        Raises:
            InputError: if there is nothing to load, or it cannot be used.
        """
        if checkpoint_dir is None and weights is None:
            weights = default_weights(residuals, attention)
        checkpoint = open_checkpoint(checkpoint_dir, weights)
        if checkpoint.kind == "exported":
            precision = None if precision == "float32" else precision
            fixed = {"padding": padding, "max_memory": max_memory, "precision": precision, "residuals": residuals}
            fixed.update(temperature=temperature, seed=seed, attention=None if attention == "exact" else attention)
            engine = SavedModelEngine(checkpoint.path, trust_saved_model)
            fixed["texture"] = texture if texture == "none" != engine.texture else None
            name = next((name for name, value in fixed.items() if value is not None), None)
            if name is not None:
                raise InputError(f"{checkpoint.path} is an exported model, whose {name} is its own: leave out {name}")
            texture = texture or engine.texture
            origin = f"{checkpoint.path}: exported model" + (f", texture {texture}" if texture != "none" else "")
            settings = {"exact_pixels": exact_pixels, "blending": blending, "texture": texture}
            return cls(engine, max_pixels, origin, strategy, engine.trained_size, **settings)
        network = load_network(checkpoint, padding, temperature, seed, precision)
        residuals = network.residuals if residuals is None else residuals
        texture = texture or network.texture
        origin = network.origin + (f", residuals {residuals:g}" if residuals else "")
        origin += f", attention {attention}" if attention != "exact" else ""
        return cls(
            KerasEngine(network.recipe, max_memory, precision, residuals, attention, network.fill),
            max_pixels=max_pixels,
            origin=origin + (f", texture {texture}" if texture != "none" else ""),
            strategy=strategy,
            trained_size=network.trained_size,
            exact_pixels=exact_pixels,
            blending=blending,
            texture=texture,
            edges_drop=network.edges_drop,
        )

    @property
    def graphs(self):
        """How many graphs have been built, whatever the sizes: one of those that complete, one of all outputs."""
        return self.engine.graphs

    @property
    def draws(self):
        """Whether it draws at random, so that there are many completions of an image."""
        return self.recipe is not None and self.recipe.draws

    def complete(self, image, mask, edges=None, *, grow=0, blending=None):
        """Completes one image or a batch.

        Args:
            image: uint8 [H, W, 3] or [B, H, W, 3], RGB, of any size.
            mask: bool (True = hole) or uint8 (above half = hole), [H, W] or [B, H, W]; one mask serves a whole batch.
            edges: for guided models only: bool (True = line) or uint8 (above 0.6 of white =
                line), [H, W] or [B, H, W]; one map serves a whole batch, None is an empty one.
            grow: pixels, 0 to 1,000, by which holes are larger than `mask` says, for soft edges around what is removed.
            blending: another one than this Inpainter's, see there.
        Returns:
            uint8 of the shape of `image`.
        Raises:
            InputError: if the image is too large.
            ValueError: if an argument has another type or shape.
        """
        return self.outputs(image, mask, edges, all_outputs=False, grow=grow, blending=blending)["completed"]

    def outputs(self, image, mask, edges=None, all_outputs=True, *, grow=0, blending=None):
        """Everything the networks say about one image or a batch; arguments as `complete`.

        Args:
            all_outputs: False asks for "completed" alone. Networks then draw the rectangle around the holes and look
                only at what it depends on: the same up to rounding, so that a pixel may be a level off.
        Returns:
            dict of arrays of the height and width of `image`:
            "completed": uint8, the image completed;
            "coarse": uint8, the same with the first stage's prediction;
            "attention": uint8, where each position looked for its filling, as optical-flow colours (white = at itself);
            "predicted": float32 in [-1, 1], the last stage's raw prediction, known pixels included, without residuals.
            A model without a coarse stage or attention lacks that entry.
        """
        if blending is not None:
            return self._with(_blend=_blending(blending)).outputs(image, mask, edges, all_outputs, grow=grow)
        batch = self._batch(image, mask, edges, grow)
        strategies = [self.strategy_for(each) for each in batch[1]]
        if len(set(strategies)) == 1:
            results = self._with(strategy=strategies[0])._outputs_of(batch, all_outputs)
        else:
            examples = ([array[np.newaxis] for array in example] for example in zip(*batch))
            outputs = [self._with(strategy=s)._outputs_of(one, all_outputs) for s, one in zip(strategies, examples)]
            results = {name: np.concatenate([one[name] for one in outputs]) for name in outputs[0]}
        return results if np.ndim(image) == 4 else {name: value[0] for name, value in results.items()}

    def strategy_for(self, mask):
        """What "auto" chooses for an image with a mask, bool [H, W]; any other strategy is its own choice."""
        if self.strategy != "auto":
            return self.strategy
        of_one_size = self.engine.fixed_size is not None or self.engine.size is not None
        as_it_is = of_one_size or self._is_large(*mask.shape)
        return "exact" if as_it_is or thickness(mask) <= HUGE * self.trained_size else "resize"

    def _with(self, **changes):
        """This one with other attributes, of the same networks and graphs unless these are among them."""
        other = copy.copy(self)
        for name, value in changes.items():
            setattr(other, name, value)
        return other

    def _outputs_of(self, batch, all_outputs):
        """`outputs` of arrays as of `_batch`, by a strategy that is not "auto"."""
        self._check_textures(batch[1])
        run = partial(self._run, all_outputs=all_outputs, with_offsets=self.strategy == "resize")
        if self._is_large(*batch[1].shape[1:]):
            self._check_pixels(*batch[1].shape[1:])
            results = _stacked(self._complete_large(*example, all_outputs) for example in zip(*batch))
        elif self.strategy == "exact":
            results = run(*batch)
        elif self.strategy == "refine":
            results = _stacked(self._refined(*example, all_outputs) for example in zip(*batch))
        else:
            results = _stacked(self._complete_around(run, *example) for example in zip(*batch))
        return self._textured(results, *batch)

    def samples(self, image, mask, count):
        """Several completions of one image by a model that draws at random: uint8 [count, H, W, 3].

        Args:
            image, mask: as `complete` takes them, of one image.
            count: the first is what `complete` draws.
        Raises:
            InputError: if the model draws nothing at random.
        """
        if not self.draws:
            raise InputError("this model draws nothing at random: there is one completion of an image")
        while len(self._others) < count - 1:
            seed = self.recipe.options.seed + len(self._others) + 1
            engine = KerasEngine(self.recipe.drawing(seed), self.engine.max_memory)
            self._others.append(self._with(engine=engine))
        return np.stack([each.complete(image, mask) for each in [self, *self._others[: count - 1]]])

    def joint_size(self, mask):
        """The (height, width) that the network sees of an image with a mask, bool [H, W]: those alike go together.

        None for images that are completed one by one: those of strategies other than "exact", or of exported models.
        """
        alone = self.strategy_for(mask) != "exact" or self._is_large(*mask.shape) or self.engine.in_pieces(*mask.shape)
        return None if alone else self.engine.joint_size(mask)

    def outputs_together(self, examples, all_outputs=True):
        """`outputs` of images that share a `joint_size`, from one pass of the network.

        Args:
            examples: list of (image, mask, edges), each as `outputs` takes one.
            all_outputs: as `outputs`; the rectangle is the one around the holes of all.
        Returns:
            list of dicts, as of `outputs` one by one, up to rounding: a completed pixel may be a level off.
        Raises:
            InputError: if they take too much memory together.
            ValueError: if their sizes do not go together, or an argument has another type or shape.
        """
        sizes, batches = [np.shape(image)[:2] for image, _, _ in examples], [self._batch(*each) for each in examples]
        joint_sizes = {self.joint_size(mask[0]) for _, mask, _ in batches}
        if len(joint_sizes) != 1 or None in joint_sizes:
            raise ValueError(f"`examples` must share a `joint_size`. Received: {joint_sizes}")
        for _, mask, _ in batches:
            self._check_textures(mask)
        padded = [_padded(batch, *next(iter(joint_sizes))) for batch in batches]
        together = self._run(*(np.concatenate(arrays) for arrays in zip(*padded)), all_outputs)
        cut = [
            {name: value[np.newaxis, index, :height, :width] for name, value in together.items()}
            for index, (height, width) in enumerate(sizes)
        ]
        textured = (self._textured(one, *batch) for one, batch in zip(cut, batches))
        return [{name: value[0] for name, value in one.items()} for one in textured]

    def most_at_once(self, height, width, wanted):
        """How many images of a joint size, `wanted` at most, `max_memory` allows in one pass; at least 1."""
        fits = (count for count in range(wanted, 1, -1) if self.memory(height, width, count) <= self.engine.max_memory)
        return next(fits, 1)

    def memory(self, height, width, batch=1, mask=None, holes=None):
        """About how many bytes completing images of this size takes, program included; None: unknown.

        Args:
            height, width, batch: of the images.
            mask: bool [H, W] or [B, H, W], True = hole, if the holes alone are asked for; None predicts all there is.
            holes: the former name of `mask`.
        """
        mask = holes if mask is None else mask
        needed = self._memory_of_network(height, width, batch, mask)
        if needed is None or mask is None:
            return needed
        return max(needed, *map(self._memory_of_textures, mask.reshape(-1, *mask.shape[-2:])))

    def _memory_of_network(self, height, width, batch, mask):
        if not self._is_large(height, width):
            return self.engine.memory(height, width, batch, mask if self._blend is None else None)
        side = max(round(self.exact_pixels**0.5), self.trained_size)  # the network sees no more at once
        needed = self.engine.memory(min(side, height), min(side, width))
        return None if needed is None else needed + GATHERED_BYTES_PER_PIXEL * height * width * batch

    def _memory_of_textures(self, mask):
        """Of drawing them under a mask, bool [H, W]; 0 where there are none, or the networks are not known."""
        drawn = self._redraw is not None and self.recipe is not None
        return memory_of_textures(self.recipe.generator, mask) if drawn else 0.0

    def _refined(self, image, mask, edges, all_outputs):
        """`outputs` of one image by refinement; as by "exact" where that has one scale or nothing to fill."""
        height, width = mask.shape
        if scales_of(height, width, self._refinement.settings) == 1 or not mask.any():
            outputs = self._run(*(array[np.newaxis] for array in (image, mask, edges)), all_outputs)
            return {name: value[0] for name, value in outputs.items()}
        self._check_pixels(height, width)
        self._check_memory(refined_memory(self.recipe.generator, height, width), 1, height, width)
        hole, lines = mask[..., np.newaxis], edges[..., np.newaxis]
        shown = tf.constant(image / np.float32(255))
        completed, _ = self._refinement(shown, tf.cast(hole, tf.float32), tf.cast(lines, tf.float32))[-1]
        predicted = 2.0 * tf.image.resize(completed, [height, width])[0] - 1.0  # enlarged where it was shrunk before
        outputs = {"completed": to_uint8(predicted).numpy()}
        if all_outputs:
            outputs["predicted"] = predicted.numpy()
        if self._blend is not None:
            outputs["completed"] = self._blend(image, outputs["completed"], mask)
        outputs["completed"] = np.where(hole, outputs["completed"], image)
        return outputs

    def _is_large(self, height, width):
        most = self.exact_pixels if self.strategy in ("auto", "exact") and self.engine.fixed_size is None else None
        return most is not None and height * width > most

    def _complete_around(self, run, image, mask, edges):
        """By what is around the holes, or around each group of holes that lie far apart."""
        resized = partial(complete_resized, residuals=self.residuals, margin=self.engine.margin)
        complete = resized if self.strategy == "resize" else complete_cropped
        parts = list(group_parts(mask, self.trained_size))
        if len(parts) < 2:
            return complete(run, image, mask, edges, self.trained_size)

        def run_part(*arrays):
            return _stacked([complete(run, *(array[0] for array in arrays), self.trained_size)])

        return complete_by_parts(run_part, image, mask, edges, parts)

    def _complete_large(self, image, mask, edges, all_outputs):
        def run(*arrays):
            height, width = arrays[1].shape[1:]
            if height * width <= self.exact_pixels:
                return self._run(*arrays, all_outputs)
            run = partial(self._run, all_outputs=all_outputs, with_offsets=True)
            example = (array[0] for array in arrays)
            return _stacked([complete_resized(run, *example, self.trained_size, self.residuals, self.engine.margin)])

        return complete_by_parts(run, image, mask, edges, group_parts(mask, self.trained_size))

    def _batch(self, image, mask, edges, grow=0):
        """(uint8 [B, H, W, 3], bool [B, H, W], bool [B, H, W]) of what `complete` takes."""
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim not in (3, 4) or image.shape[-1] != 3 or 0 in image.shape:
            raise ValueError(f"`image` must be uint8 [H, W, 3] or [B, H, W, 3]. Received: {_describe(image)}")
        images = image if image.ndim == 4 else image[np.newaxis]
        mask = _as_bool("mask", mask, MASK_THRESHOLD, images.shape[:3])
        mask = np.stack([grown(example, grow) for example in mask]) if grow else mask
        if edges is None:
            return images, mask, np.zeros_like(mask)
        if not self.takes_edges:
            raise ValueError("`edges` is for guided models, this one takes none. Received: " + _describe(edges))
        return images, mask, _as_bool("edges", edges, EDGE_THRESHOLD, images.shape[:3])

    def _run(self, image, mask, edges, all_outputs, with_offsets=False):
        """`outputs` of uint8 [B, H, W, 3], bool [B, H, W] and bool [B, H, W], whatever the strategy.

        `with_offsets` adds what residuals were taken by, "offsets" of `Completion`, where there are any.
        """
        if os.getpid() != self._process:  # TensorFlow's threads are not there, and waiting for them has no end
            raise InputError(
                "this Inpainter was loaded before the process was forked, where TensorFlow cannot go on: load it in "
                "the child, or start processes by spawn (multiprocessing.set_start_method; gunicorn without --preload)"
            )
        batch, height, width = mask.shape
        self._check_size(batch, height, width, None if all_outputs else mask)
        if self.engine.in_pieces(height, width):
            run = partial(self._run, all_outputs=all_outputs)
            return _stacked(
                complete_by_parts(run, *example, thin_parts(example[1])) for example in zip(image, mask, edges)
            )
        try:
            # Blending looks at what is predicted beside the hole.
            outputs = self.engine.run(image, mask, edges, all_outputs or self._blend is not None)
        except tf.errors.ResourceExhaustedError as error:
            raise InputError(
                f"out of memory completing {batch} image(s) of {width} x {height} pixels: "
                "take fewer at once or smaller ones"
            ) from error
        outputs = {name: value.numpy() for name, value in outputs.items() if with_offsets or name != "offsets"}
        if not all_outputs:
            outputs = {name: outputs[name] for name in outputs.keys() & {"completed", "offsets"}}
        if self._blend is not None:
            outputs["completed"] = np.stack([*map(self._blend, image, outputs["completed"], mask)])
        for name in outputs.keys() & {"completed", "coarse"}:
            outputs[name] = np.where(mask[..., np.newaxis], outputs[name], image)
        return outputs

    def _textured(self, results, images, masks, edges):
        """Results of a batch whose completions have a texture of their own, if that is asked for."""
        as_exported = self.strategy == "exact" and not self._is_large(*masks.shape[1:])
        if self._redraw is None or (as_exported and self.texture == self.engine.texture):
            return results
        drawn = zip(images, results["completed"], masks, edges)
        redrawn = [one if (line & mask).any() else self._redraw(image, one, mask) for image, one, mask, line in drawn]
        return {**results, "completed": np.stack(redrawn)}

    def _check_pixels(self, height, width):
        if self.max_pixels is not None and height * width > self.max_pixels:
            raise InputError(
                f"{width} x {height} pixels are more than the limit of {self.max_pixels}; "
                "raise max_pixels or take a smaller image"
            )

    def _check_size(self, batch, height, width, mask):
        self._check_pixels(height, width)
        self._check_memory(self._memory_of_network(height, width, batch, mask), batch, height, width)

    def _check_textures(self, masks):
        """Before a network runs in vain."""
        for mask in masks:
            self._check_memory(self._memory_of_textures(mask), 1, *mask.shape, "or texture none")

    def _check_memory(self, needed, batch, height, width, remedy="or the strategy crop or resize"):
        allowed = self.engine.max_memory
        if needed is not None and needed > allowed:
            many = f"{batch} images of " if batch > 1 else ""
            raise InputError(
                f"{many}{width} x {height} pixels would take about {needed / 2**30:.1f} GiB of memory, more than the "
                f"{allowed / 2**30:.1f} GiB allowed; raise max_memory, take a smaller image, {remedy}"
            )


def _blending(name):
    if name not in BLENDINGS:
        raise ValueError(f"`blending` must be one of {', '.join(BLENDINGS)}. Received: {name!r}")
    return BLENDINGS[name]


def _stacked(examples):
    examples = list(examples)
    return {name: np.stack([example[name] for example in examples]) for name in examples[0]}


def _padded(arrays, height, width):
    """[B, H, W, ...] each, continued below and to the right as its mirror image, as `Completion` does it."""
    size = arrays[0].shape[1:3]
    rows, columns = (mirrored(np.arange(side), length).numpy() for side, length in zip((height, width), size))
    return [array[:, rows][:, :, columns] for array in arrays]


def _as_bool(name, mask, threshold, shape):
    """bool [B, H, W] of a mask or edges for images of that shape."""
    mask = np.asarray(mask)
    if mask.shape not in (shape, shape[1:]):
        raise ValueError(f"`{name}` must be [H, W] or [B, H, W] of the image {shape}. Received: {_describe(mask)}")
    if mask.dtype == np.uint8:
        if mask.max() == 1:
            raise ValueError(
                f"`{name}` as uint8 counts where above {threshold}; pass one of 0 and 1 as bool. "
                "Received: largest value 1"
            )
        mask = mask > threshold
    elif mask.dtype != np.bool_:
        raise ValueError(f"`{name}` must be bool or uint8. Received: {_describe(mask)}")
    return np.broadcast_to(mask, shape)


def _describe(value):
    value = np.asarray(value)
    return f"{value.dtype} {list(value.shape)}"
