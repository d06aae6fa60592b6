"""The networks that a checkpoint is of, built and filled."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from tf_inpaint.checkpoints.description import describe
from tf_inpaint.checkpoints.load import load_weights
from tf_inpaint.checkpoints.npz import About, read_about
from tf_inpaint.checkpoints.shipped import graph_file, shipped_weights, terms_of
from tf_inpaint.config import load_config, options_from_dict
from tf_inpaint.errors import InputError
from tf_inpaint.inference.graph import fill_graph
from tf_inpaint.inference.stored import StoredGraph
from tf_inpaint.layers.layer import filled_later
from tf_inpaint.recipes import RECIPES
from tf_inpaint.recipes.base import Recipe

PUBLISHED_SIZE = 256
RELEASE_PADDING = "SAME"  # what the release's test program runs its checkpoints with, whatever they were trained with


class Network(NamedTuple):
    """Networks ready to complete.

    Attributes:
        recipe: whose generator, and discriminator where that helps to complete, hold the weights.
        trained_size: side of the images they were trained on.
        residuals, texture: what of these suits the weights, see `Inpainter.load`.
        edges_drop: fraction of the images trained on that came without edges, if it is guided.
        origin: where they come from, a line for people.
        fill: what completes holes as a graph that comes in a file, see `inference.graph.fill_graph`; None: there is no
            such file.
    """

    recipe: Recipe
    trained_size: int
    residuals: float
    texture: str
    edges_drop: float
    origin: str
    fill: StoredGraph | None


def load_network(checkpoint, padding=None, temperature=None, seed=None, precision="float32") -> Network:
    """The networks of a `Checkpoint`; other arguments as `Inpainter.load` takes them.

    Raises:
        InputError: if it is of no known model, cannot fill it, or the padding is none of its own.
    """
    description = describe(checkpoint)
    about, options = _about_of(checkpoint, description)
    name = about.recipe
    as_released = padding is None and description.kind == "release"
    if as_released and options.padding is not None:
        padding = RELEASE_PADDING
    if padding is not None:
        if options.padding is None:
            raise InputError(f"this model ({name}) has one padding only: leave out padding")
        options = dataclasses.replace(options, padding=padding)
    drawing = {"temperature": temperature, "seed": seed}
    drawing = {key: value for key, value in drawing.items() if value is not None}
    if drawing and not RECIPES[name].draws:
        raise InputError(f"this model ({name}) draws nothing at random: leave out {' and '.join(drawing)}")
    options = dataclasses.replace(options, **drawing)
    recipe, discriminator = RECIPES[name](options), None
    if recipe.completes_with_critic:
        recipe.build(recipe.generator.minimum_size, recipe.generator.minimum_size)
        discriminator = recipe.discriminator
    else:
        with filled_later():
            recipe.build_generator()
    if as_released:
        recipe.generator.margin, recipe.generator.keeps_levels = 0, False  # of which its test program knows nothing
    graph = graph_file(checkpoint.path) if precision == "float32" and not tf.distribute.has_strategy() else None
    fill = graph and fill_graph(recipe, graph)
    if fill:
        fill.prepare()
    report = load_weights(checkpoint, recipe.generator, discriminator)
    terms = terms_of(checkpoint.path)
    origin = checkpoint.path + (f" ({terms})" if terms else "") + f": {description}: {report}"
    if recipe.draws:
        origin += f", temperature {options.temperature:g}, seed {options.seed}"
        origin += "; what is known right of a hole or below it is not seen"
    return Network(recipe, about.trained_size, about.residuals, about.texture, about.edges_drop, origin, fill)


def _about_of(checkpoint, description):
    """(`About` the weights, the recipe's `Options`): a file says so itself, a run's config, or its variables."""
    about = checkpoint.about
    if about is not None:
        return about, options_from_dict(about.recipe, about.options, checkpoint.path)
    config_file = checkpoint.config_file if description.kind == "run" else None
    if config_file is not None:
        config = load_config(config_file)
        about = About(config.recipe, {}, min(config.data.image_size), "", edges_drop=config.data.edges_drop)
        began_with = shipped_weights().get(config.training.init_from)
        if began_with:  # fine-tuned weights draw as those that they began with
            shipped = read_about(began_with)
            about = about._replace(residuals=shipped.residuals, texture=shipped.texture)
        return about, config.options
    if description.recipe is None:
        raise InputError(f"{checkpoint.path} is a run whose model is not known and whose config.yml is missing")
    options = RECIPES[description.recipe].Options(**description.options)
    return About(description.recipe, {}, PUBLISHED_SIZE, ""), options
