"""The engine of a model exported for serving."""

from __future__ import annotations

import json
import os
import re

import numpy as np
import tensorflow as tf

from tf_inpaint.checkpoints.locate import EXTRA_FOLDER, NOTES_FILE, SAVED_MODEL_FILE
from tf_inpaint.errors import InputError, without_warnings
from tf_inpaint.inference.engine import SERVED, Engine
from tf_inpaint.inference.large import is_thin
from tf_inpaint.inference.network import PUBLISHED_SIZE

# Operations that reach files or Python; exported models have none, but for those by which variables are restored.
_REACHING = re.compile(
    "(Write|Read|Append|Delete|Rename|Copy).*File|MatchingFiles|.*PyFunc.*|.*Reader(V2)?|.*Summary.*|Print.*|.*Rpc.*|"
    ".*Record.*Dataset.*|.*LineDataset.*|(Snapshot|Save|Load|Cache)Dataset.*"
)


def check_exported(folder: str) -> None:
    """Raise InputError unless this project exported the model: TensorFlow runs whatever a SavedModel contains."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    way = "which can write files and more when it is run: only if you trust who made it, give trust_saved_model"
    if not os.path.isfile(os.path.join(folder, EXTRA_FOLDER, NOTES_FILE)):
        raise InputError(f"{folder} is a SavedModel, but not one of this project: it runs whatever it contains, {way}")
    try:
        with open(os.path.join(folder, SAVED_MODEL_FILE), "rb") as file:
            graphs = [meta.graph_def for meta in SavedModel.FromString(file.read()).meta_graphs]
    except (OSError, DecodeError) as error:
        raise InputError(f"{folder} cannot be read as an exported model ({error})") from error
    parts = [nodes for graph in graphs for nodes in (graph.node, *(f.node_def for f in graph.library.function))]
    reaching = next((node.op for nodes in parts for node in nodes if _REACHING.fullmatch(node.op)), None)
    if reaching is not None:
        raise InputError(f"{folder} has the operation {reaching}, which no exported model has and {way}")


class SavedModelEngine(Engine):
    """Completes with an exported model, which has the outputs that were exported, never "predicted".

    Args:
        folder: of a version, with its saved_model.pb.
        trusted: whether it is loaded though this project may not have exported it, see `check_exported`.
    Attributes:
        trained_size: as of `Inpainter`.
    Raises:
        InputError: if the folder holds no such model.
    """

    def __init__(self, folder, trusted=False):
        if not trusted:
            check_exported(folder)
        try:
            with without_warnings("absl"):  # that it has no gradients, which nobody wants of it
                self._model = tf.saved_model.load(folder)  # kept, since its weights live no longer than it
        except (tf.errors.OpError, OSError, RuntimeError, ValueError, KeyError) as error:
            raise InputError(f"{folder} cannot be read as an exported model ({error})") from error
        self._serve = self._model.signatures.get("serving_default")
        inputs = self._serve.structured_input_signature[1] if self._serve is not None else {}
        if not {"image", "mask"} <= set(inputs) <= {"image", "mask", "edges"}:
            raise InputError(f"{folder} is a SavedModel, but not one of this project: it takes {sorted(inputs)}")
        self.guided = "edges" in inputs
        self.images = {SERVED.get(name, name) for name in self._serve.structured_outputs} - {"completed"}
        shape = inputs["image"].shape[1:3]
        self.size = tuple(shape) if shape.is_fully_defined() else None
        notes = _notes(folder)
        self.texture = notes.get("texture", "none")
        self.fixed_size = notes.get("fixed_size")
        self.trained_size = notes.get("trained_size", PUBLISHED_SIZE)
        whole = notes.get("whole_pixels")
        if self.size is None and whole is not None:
            self.whole_pixels = min(whole, notes.get("max_pixels", whole))

    def in_pieces(self, height, width):
        return self.fixed_size is None and self.size is None and is_thin(height, width)

    def run(self, image, mask, edges, all_outputs):
        if self.size not in (None, image.shape[1:3]):
            raise InputError(f"this model was exported for images of {self.size[1]} x {self.size[0]} pixels alone")
        inputs = {"image": image, "mask": _to_levels(mask), **({"edges": _to_levels(edges)} if self.guided else {})}
        try:
            outputs = self._serve(**{name: tf.constant(value) for name, value in inputs.items()})
        except tf.errors.InvalidArgumentError as error:
            said = re.search(r"assertion failed: (.*)", str(error))
            raise InputError(f"the exported model refuses this: {said[1] if said else error}") from error
        return {SERVED.get(name, name): value for name, value in outputs.items()}


def _notes(folder):
    """What the command that exported a model wrote down of it; nothing of a foreign one."""
    try:
        with open(os.path.join(folder, EXTRA_FOLDER, NOTES_FILE), encoding="utf-8") as file:
            notes = json.load(file)
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}


def _to_levels(mask):
    """bool [B, H, W] as uint8 0 and 255 [B, H, W, 1]."""
    return np.where(mask, np.uint8(255), np.uint8(0))[..., np.newaxis]
