"""Graphs that come in files: reading one takes Python a tenth of the time that it takes to write it down.

    python -m tf_inpaint.inference.stored    # writes the files again, after their sources have changed

Where the sources are not those that a file was made of, its graph is written down all the same, so that it is never
another function.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import zlib
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError

PACKAGE = Path(__file__).resolve().parents[1]
_OLDEST = "2.15."  # of the versions of TensorFlow; later ones read what it writes
# Attributes of nodes.
_VARIABLE = "_variable"  # the name of what a placeholder stands for
_RESULT = "_result"


class StoredGraph:
    """A function of tensors, and of variables, read from a file or else written down.

    Args:
        file: path of the graph.
        sources: what it is made of, globs below the package.
        function: of tensors, to one tensor.
        signature: a `tf.TensorSpec` for each of them.
        example: arrays by which it is prepared, one for each.
        variables: name -> `tf.Variable`, all that the function reads.
        options: what it is made of, too, as text.
    Attributes:
        file: as given.
        made: whether there is a graph by now.
    Call:
        arguments: arrays or tensors.
        returns: what the function does.
    """

    def __init__(self, file, sources, function, signature, example, variables=None, options=""):
        self.file = file
        self._sources, self._options = sources, options
        self._function, self._signature, self._example = function, signature, example
        self._variables = variables or {}
        self._lock = threading.Lock()
        self._graph = self._preparing = None

    def __call__(self, *arguments):
        if self._preparing not in (None, threading.current_thread()):
            self._preparing.join()  # otherwise TensorFlow would make it ready twice
        with self._lock:
            self._graph = self._graph or self._read() or self._written_down()
        return self._graph(*map(tf.convert_to_tensor, arguments, (spec.dtype for spec in self._signature)))

    @property
    def made(self):
        return self._graph is not None

    def prepare(self):
        """Let TensorFlow make the graph ready meanwhile, once a process."""
        if self._preparing is None:
            self._preparing = threading.Thread(target=self._try, name=self.file.stem)  # which Python waits for
            self._preparing.start()

    def write(self):
        """Writes the file."""
        graph = self._written_down().graph
        names = {id(variable.handle): name for name, variable in self._variables.items()}
        places = {place.op.name: names[id(handle)] for handle, place in graph.captures}
        definition = graph.as_graph_def()
        for node in definition.node:
            if node.name in places:
                node.attr[_VARIABLE].s = places[node.name].encode()
            if node.name == graph.outputs[0].op.name:
                node.attr[_RESULT].b = True
        self.file.write_bytes(self._digest() + zlib.compress(definition.SerializeToString(deterministic=True), 9))

    def _try(self):
        with contextlib.suppress(tf.errors.OpError):  # of memory, say, which whoever calls it is told of
            self(*self._example)

    def _written_down(self):
        graph = tf.function(self._function, input_signature=self._signature, autograph=False)
        return graph.get_concrete_function()

    def _read(self):
        """The same from the file; None where that was made of other sources, or is of no use."""
        try:
            stored, digest = self.file.read_bytes(), self._digest()
            if not stored.startswith(digest):
                return None
            definition = tf.compat.v1.GraphDef.FromString(zlib.decompress(stored[len(digest) :]))
            places = [node for node in definition.node if node.op == "Placeholder"]  # of variables, behind the others
            variables = [node.attr[_VARIABLE].s.decode() for node in places[len(self._signature) :]]
            handles = [self._variables[name].handle for name in variables]
            result = next(f"{node.name}:0" for node in definition.node if _RESULT in node.attr)

            def imported(*tensors):
                given = {node.name: tensor for node, tensor in zip(places, tensors)}
                return tf.graph_util.import_graph_def(definition, given, [result], name="")[0]

            resources = [tf.TensorSpec([], tf.resource)] * len(handles)
            # By this name: `serving.lite` removes what "_function" names, which conversions leave behind.
            graph = tf.compat.v1.wrap_function(imported, [*self._signature, *resources], name="stored")
            return lambda *tensors: graph(*tensors, *handles)
        except (OSError, LookupError, StopIteration, ValueError, zlib.error, DecodeError, tf.errors.OpError):
            return None  # of a TensorFlow to come, maybe

    def _digest(self):
        """Of what the graph is made of."""
        files = sorted(path for glob in self._sources for path in PACKAGE.glob(glob))
        texts = [self._options.encode(), *(path.read_bytes().replace(b"\r\n", b"\n") for path in files)]
        return hashlib.sha256(b"".join(texts)).digest()


def main():
    """Writes the files that are of no use."""
    from tf_inpaint.checkpoints import open_checkpoint
    from tf_inpaint.inference.network import load_network
    from tf_inpaint.inference.texture import redraw_graph

    if not tf.__version__.startswith(_OLDEST):
        raise SystemExit(f"error: TensorFlow {_OLDEST}x writes what later versions read, too; this is {tf.__version__}")
    for graph in (redraw_graph(), load_network(open_checkpoint()).fill):
        if graph._read() is None:
            graph.write()
            print(graph.file)


if __name__ == "__main__":
    main()
