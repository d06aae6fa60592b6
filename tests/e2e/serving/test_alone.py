"""Exported models where there is no tf_inpaint: their answers are what Inpainter makes of each image, bit for bit."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

pytestmark = pytest.mark.slow
MODELS = ["deepfill_v1", "deepfill_v2", "guided", "pen_net", "context_encoder", "lama"]
SIZES = [(64, 64), (50, 91), (9, 5)]
THOROUGH = "guided"  # at all sizes, and by a session too

# Loads models as anybody would, and as TensorFlow Serving does: a graph and a session. Any import of ours fails.
PROGRAM = """
import json, sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tf_inpaint", "tensorflow_addons"):
            raise ImportError(f"{name} must not be needed")

sys.meta_path.insert(0, Refused())
import numpy as np
import tensorflow as tf

arrays, outputs = dict(np.load("inputs.npz", allow_pickle=True)), {}

def inputs(key):
    return {name[len(key) + 1 :]: value for name, value in arrays.items() if name.startswith(f"{key}|")}

for task in json.load(open("tasks.json")):
    loaded = tf.saved_model.load(task["folder"])
    for key, signature in task["calls"]:
        results = loaded.signatures[signature](**{name: tf.constant(value) for name, value in inputs(key).items()})
        outputs.update({f"{key}|{name}": value.numpy() for name, value in results.items()})
    if task["by session"]:
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            signatures = tf.compat.v1.saved_model.load(session, ["serve"], task["folder"]).signature_def
            for key, signature in task["calls"]:
                described = signatures[signature]
                feed = {described.inputs[name].name: value for name, value in inputs(key).items()}
                fetch = {name: tensor.name for name, tensor in described.outputs.items()}
                outputs.update({f"session {key}|{name}": value for name, value in session.run(fetch, feed).items()})
assert not [name for name in sys.modules if name.split(".")[0] == "tf_inpaint"]
np.savez("outputs.npz", **outputs)
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory, exported, make_case):
    """(model -> [(key, signature, case)], "key|output" -> array) of a process of its own."""
    folder = tmp_path_factory.mktemp("alone")
    calls, inputs = {model: [] for model in MODELS}, {}
    for model in MODELS:
        thorough = model == THOROUGH
        for height, width in SIZES if thorough else SIZES[1:2]:
            for count in (1, 3) if thorough else (2,):
                case, guided = make_case(height, width, count), exported(model).inpainter.takes_edges
                for signature, given in (("serving_default", case.arrays(guided)), ("encoded", case.files(guided))):
                    key = f"{model} {signature} {count} of {height} x {width}"
                    calls[model].append((key, signature, case))
                    inputs.update({f"{key}|{name}": value for name, value in given.items()})
    np.savez(folder / "inputs.npz", **inputs)
    tasks = [
        {"folder": exported(model).folder, "calls": [call[:2] for call in made], "by session": model == THOROUGH}
        for model, made in calls.items()
    ]
    (folder / "tasks.json").write_text(json.dumps(tasks))
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    return calls, dict(np.load(folder / "outputs.npz", allow_pickle=True))


@pytest.mark.parametrize("model", MODELS)
def test_the_answers_are_those_of_inpainter(answers, exported, model):
    calls, outputs = answers
    for key, signature, case in calls[model]:
        expected = case.expected(exported(model).inpainter)
        if model != "deepfill_v1":
            expected = {"completed": expected["completed"]}
        for how in ("", "session ") if model == THOROUGH else ("",):
            for name, value in expected.items():
                name = {"attention": "attention_flow"}.get(name, name)
                got = outputs[f"{how}{key}|{name}" + ("_bytes" if signature == "encoded" else "")]
                if signature == "encoded":
                    got = np.stack([tf.io.decode_png(contents).numpy() for contents in got])
                np.testing.assert_array_equal(got, value, f"{how}{key} {name}")
        known = case.masks[..., 0] == 0
        np.testing.assert_array_equal(expected["completed"][known], case.images[known])
        assert (expected["completed"][~known] != case.images[~known]).mean() > 0.5
