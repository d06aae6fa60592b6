"""The command, the folders it writes, what is in their graphs, what they refuse, and test.py with them."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from runs import TINY, write_untrained_run
from tensorflow.core.protobuf import config_pb2, saved_model_pb2

from tf_inpaint import cli
from tf_inpaint import export as command
from tf_inpaint.errors import InputError
from tf_inpaint.inference.inpainter import Inpainter
from tf_inpaint.io.images import read_image
from tf_inpaint.ops.fourier import LARGEST_PRODUCT
from tf_inpaint.predict import command as complete
from tf_inpaint.serving.lite import METADATA, contract, contract_of, graph_of, interpreter_of

pytestmark = pytest.mark.slow  # exporting a model takes its time


def _operations(folder):
    """Names of all operations of a SavedModel, of its graph and its library of functions, but for the latter's own."""
    with open(os.path.join(folder, "saved_model.pb"), "rb") as file:
        (meta,) = saved_model_pb2.SavedModel.FromString(file.read()).meta_graphs
    library = meta.graph_def.library.function
    nodes = [*meta.graph_def.node, *(node for function in library for node in function.node_def)]
    return {node.op for node in nodes} - {function.signature.name for function in library}


def test_there_are_only_tensorflow_s_own_operations(exported):
    models = ("deepfill_v1", "guided", "pen_net", "context_encoder", "lama")
    used = {model: _operations(exported(model).folder) for model in models}
    for model, names in used.items():
        assert {"Conv2D", "DecodePng", "EncodePng", "Assert"} <= names, model
    # The registry of a process without Addons and without us; Python's functions are in it, but die with their process.
    program = "import tensorflow as tf, json; from tensorflow.python.framework import op_def_registry as r; "
    program += "import sys; print(json.dumps([n for n in json.load(sys.stdin) if r.get(n) is None]))"
    names = json.dumps(sorted(set().union(*used.values())))
    done = subprocess.run([sys.executable, "-c", program], input=names, capture_output=True, text=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert not [name for name in json.loads(names) if "PyFunc" in name or name.startswith("Addons>")]


def test_a_version_is_whole_and_the_next_free_number(exported, tmp_path, monkeypatch):
    inpainter = exported("context_encoder").inpainter
    output = tmp_path / "model"
    (output / "7").mkdir(parents=True)
    (output / "notes.txt").touch()
    assert command.export(inpainter, str(output), "bfloat16") == str(output / "8")
    notes = json.loads((output / "8" / "assets.extra" / "tf_inpaint.json").read_text())
    assert (notes["weights"], notes["arithmetic"], notes["guided"]) == ("bfloat16", "float32", False)
    assert (notes["trained_size"], notes["fixed_size"], notes["whole_pixels"]) == (inpainter.trained_size, 32, None)

    def fail(*_):
        assert [name for name in os.listdir(output) if name.startswith(".unfinished")]
        raise KeyboardInterrupt

    monkeypatch.setattr("tf_inpaint.serving.warmup.write_warmup", fail)
    with pytest.raises(KeyboardInterrupt):
        command.export(inpainter, str(output))
    assert sorted(os.listdir(output)) == ["7", "8", "notes.txt"]
    with pytest.raises(InputError, match="is not a folder"):
        command.export(inpainter, str(output / "notes.txt"))


@pytest.mark.parametrize("precision, most", [("float16", 2), ("bfloat16", 12)])
def test_weights_in_half_the_bytes_change_little(exported, make_case, tmp_path, precision, most):
    whole = exported("deepfill_v2")
    half = dataclasses.replace(whole, folder=command.export(whole.inpainter, str(tmp_path / "model"), precision))
    sizes = [os.path.getsize(f"{made.folder}/variables/variables.data-00000-of-00001") for made in (whole, half)]
    assert sizes[1] < 0.6 * sizes[0]
    case = make_case(64, 64)
    expected = case.expected(whole.inpainter)["completed"]
    difference = np.abs(half.ask(case.arrays(guided=False))["completed"].astype(int) - expected)
    assert 0 < difference.mean() and np.percentile(difference, 99) <= most


def test_one_size_alone(exported, make_case, tmp_path):
    inpainter = exported("deepfill_v1").inpainter
    folder = command.export(inpainter, str(tmp_path / "model"), size=(50, 90), outputs=("coarse",))
    model = dataclasses.replace(exported("deepfill_v1"), folder=folder)
    case = make_case(50, 90, 2)
    got = model.ask(case.arrays(guided=False))
    assert set(got) == {"completed", "coarse"} and got["completed"].shape[1:] == (50, 90, 3)
    expected = case.expected(inpainter)
    for name in got:
        np.testing.assert_array_equal(got[name], expected[name])
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be 50 x 90 pixels high and wide"):
        model.ask(make_case(90, 50).files(guided=False), "encoded")
    saved = Inpainter.load(folder)
    with pytest.raises(InputError, match="exported for images of 90 x 50 pixels alone"):
        saved.complete(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), bool))


def test_wrong_files_are_refused_with_a_reason(exported, make_case):
    right, other = ({name: value[0] for name, value in make_case(20, side).files().items()} for side in (20, 21))
    huge = bytearray(right["image_bytes"])
    huge[16:24] = (1 << 20).to_bytes(4, "big") * 2
    damaged = bytearray(right["image_bytes"])
    damaged[len(damaged) // 2] ^= 255
    levels = tf.io.encode_png(np.eye(20, dtype=np.uint8)[..., np.newaxis]).numpy()

    def ask(**changes):
        inputs = {**{name: [value] for name, value in right.items()}, **changes}
        return exported("guided").ask(inputs, "encoded")

    for changes, said in (
        ({"image_bytes": [b""]}, "`image_bytes` must be a PNG or JPEG file"),
        ({"mask_bytes": [b"BM nonsense"]}, "`mask_bytes` must be a PNG or JPEG file"),
        ({"image_bytes": [right["image_bytes"][:70]]}, "`image_bytes` must be a whole file"),
        ({"image_bytes": [bytes(damaged)]}, "/image_bytes/"),
        ({"image_bytes": [b"\x89PNG"]}, "`image_bytes` must be a whole file"),
        ({"image_bytes": [bytes(huge)]}, "`image_bytes` must have 1 to 1048576 pixels.*1048576"),
        ({"mask_bytes": [other["mask_bytes"]]}, "`mask` must have the size of the image"),
        ({"edges_bytes": [other["edges_bytes"]]}, "`edges` must have the size of the image"),
        ({"mask_bytes": [levels]}, "`mask` counts where above 127"),
    ):
        with pytest.raises(tf.errors.OpError, match=said):
            ask(**changes)
    with pytest.raises(tf.errors.InvalidArgumentError, match="as many as `image_bytes`"):
        ask(mask_bytes=[right["mask_bytes"]] * 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least one image"):
        ask(**{name: np.array([], object) for name in right})
    assert ask()["completed_bytes"].shape == (1,)


def test_files_are_read_as_test_py_reads_them(exported, make_case, tmp_path):
    """A JPEG lying on its side, a mask painted on a transparent layer, no edges."""
    from PIL import Image

    case = make_case(40, 56)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(case.images[0]).save(tmp_path / "x.jpg", exif=turned)
    layer = np.zeros((56, 40, 4), np.uint8)
    layer[30:, 10:] = (10, 0, 0, 255)
    Image.fromarray(layer).save(tmp_path / "m.png")
    image, mask = ((tmp_path / path).read_bytes() for path in ("x.jpg", "m.png"))
    inputs = {"image_bytes": [image], "mask_bytes": [mask], "edges_bytes": [b""]}
    got = exported("guided").ask(inputs, "encoded")["completed_bytes"][0]
    expected = exported("guided").inpainter.complete(read_image(str(tmp_path / "x.jpg")).rgb, layer[..., 3] > 0)
    np.testing.assert_array_equal(tf.io.decode_png(got), expected)


def test_thin_images_are_refused_and_completed_piece_by_piece_by_inpainter(exported):
    model = exported("deepfill_v2")
    image = np.random.default_rng(0).integers(0, 256, (4, 5000, 3), np.uint8)
    mask = np.zeros((4, 5000), bool)
    mask[1:3, [10, 4980]] = True
    arrays = {"image": image[np.newaxis], "mask": mask[np.newaxis, ..., np.newaxis] * np.uint8(255)}
    files = {f"{name}_bytes": [tf.io.encode_png(array[0]).numpy()] for name, array in arrays.items()}
    said = r"`image.* must not be so thin.*\[4\] \[5000\] \[4096\]"
    for inputs, signature in ((arrays, "serving_default"), (files, "encoded")):
        with pytest.raises(tf.errors.InvalidArgumentError, match=said):
            model.ask(inputs, signature)
    completed = Inpainter.load(model.folder).complete(image, mask)
    np.testing.assert_array_equal(completed, model.inpainter.complete(image, mask))
    with pytest.raises(InputError, match="--size 4 5000 is too thin"):
        command.export(model.inpainter, "unused", size=(4, 5000))


def test_wrong_arrays_are_refused_where_nobody_looks_at_shapes(exported):
    """TensorFlow Serving hands arrays to the graph whatever their shape; so does a session's callable."""
    image, mask = np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8, 1), np.uint8)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        model = tf.compat.v1.saved_model.load(session, ["serve"], exported("guided").folder)
        signature = model.signature_def["serving_default"]
        feed = [signature.inputs[name].name for name in ("image", "mask", "edges")]
        fetch = [signature.outputs["completed"].name]
        run = session._make_callable_from_options(config_pb2.CallableOptions(feed=feed, fetch=fetch))
        for arrays, said in (
            ((image[..., :2], mask, mask), r"`image` must be \[N, H, W, 3\]. Received:\] \[1 8 8 2\]"),
            ((image[0], mask, mask), r"`image` must be \[N, H, W, 3\]. Received:\] \[8 8 3\]"),
            ((image, mask[..., 0], mask), r"`mask` must be \[N, H, W, 1\]. Received:\] \[1 8 8\]"),
            ((image, image, mask), r"`mask` must be \[N, H, W, 1\]"),
            ((image, mask[:, :7], mask), r"`mask` must have the size of the image. Received:\] \[1 7 8\] \[1 8 8\]"),
            ((image, np.repeat(mask, 2, axis=0), mask), "`mask` must have the size of the image"),
            ((image, mask, mask[:, :, :5]), "`edges` must have the size of the image"),
            ((image, mask + 1, mask), "`mask` counts where above 127"),
            ((image[:0], mask[:0], mask[:0]), "at least one image"),
            ((image[:, :0], mask[:, :0], mask[:, :0]), "`image` must have 1 to"),
        ):
            with pytest.raises(tf.errors.InvalidArgumentError, match=said):
                run(*arrays)
        assert run(image, mask, mask)[0].shape == image.shape


def test_saved_model_cli_runs_it(exported, make_case, tmp_path):
    inpainter, folder = exported("deepfill_v1").inpainter, exported("deepfill_v1").folder
    case = make_case(30, 40)
    for name, value in case.arrays(guided=False).items():
        np.save(tmp_path / f"{name}.npy", value)
    program = [sys.executable, "-c", "from tensorflow.python.tools.saved_model_cli import main; main()", "run"]
    options = ["--dir", folder, "--tag_set", "serve", "--signature_def", "serving_default"]
    options += ["--inputs", "image=image.npy;mask=mask.npy", "--outdir", "."]
    done = subprocess.run([*program, *options], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-1000:]
    for name, value in case.expected(inpainter).items():
        name = {"attention": "attention_flow"}.get(name, name)
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), value)


def test_test_py_takes_an_exported_model(exported, make_case, tmp_path, capsys):
    inpainter, folder = exported("deepfill_v1").inpainter, exported("deepfill_v1").folder
    case = make_case(33, 47)
    case.write(tmp_path)
    files = ["--image", tmp_path / "x.png", "--mask", tmp_path / "m.png", "--output", tmp_path / "o.png"]
    options = [*map(str, files), "--save_coarse", "--save_attention", "--checkpoint_dir"]
    expected = case.expected(inpainter)
    for place in (folder, os.path.dirname(folder), os.path.join(folder, "saved_model.pb")):
        assert complete.main([*options, place]) == cli.DONE
        for name, path in (("completed", "o.png"), ("coarse", "o_coarse.png"), ("attention", "o_attention.png")):
            np.testing.assert_array_equal(read_image(str(tmp_path / path)).rgb, expected[name][0])
    assert "exported model" in capsys.readouterr().out
    for name, value in (("padding", "SAME"), ("attention", "coarse")):
        with pytest.raises(InputError, match=f"leave out {name}"):
            Inpainter.load(folder, **{name: value})
    with pytest.raises(InputError, match="exported already"):
        command.main(["--checkpoint_dir", folder, "--output", str(tmp_path / "again")])
    tf.saved_model.save(tf.Module(), str(tmp_path / "stranger"))
    with pytest.raises(InputError, match="not one of this project"):
        Inpainter.load(tmp_path / "stranger")


def test_a_guided_one_takes_edges(exported, make_case):
    inpainter, saved = exported("guided").inpainter, Inpainter.load(exported("guided").folder)
    assert saved.takes_edges
    for inputs in (make_case(40, 24).first(), make_case(40, 24).first(guided=False)):
        np.testing.assert_array_equal(saved.complete(*inputs), inpainter.complete(*inputs))
    with pytest.raises(InputError, match="`image` must have 1 to 1048576 pixels"):
        saved.complete(np.zeros((1025, 1024, 3), np.uint8), np.zeros((1025, 1024), bool))


def test_textures_are_drawn_by_what_is_exported_too(exported, make_case, tmp_path):
    """As `Inpainter` draws them, but for images with lines in a hole; and once alone where a model is loaded again."""
    plain = exported("guided").inpainter
    inpainter = Inpainter(plain.engine, texture="patches")
    saved = Inpainter.load(command.export(inpainter, str(tmp_path / "model")))
    assert saved.texture == "patches" and "texture patches" in saved.origin
    for height, width in ((64, 64), (40, 90)):
        image, mask, edges = make_case(height, width).first()
        for lines in (edges, None, np.where(mask > 127, np.uint8(0), edges)):
            completed = inpainter.complete(image, mask, lines)
            np.testing.assert_array_equal(saved.complete(image, mask, lines), completed)
            assert np.array_equal(completed, plain.complete(image, mask, lines)) == (lines is edges)
    with pytest.raises(InputError, match="an exported model, whose texture is its own: leave out texture"):
        Inpainter.load(saved.origin.split(":")[0], texture="none")
    alone = Inpainter.load(exported("deepfill_v2").folder)
    drawn = Inpainter.load(exported("deepfill_v2").folder, texture="patches")
    image, mask = make_case(64, 64).first(guided=False)
    assert alone.texture == "none" and not np.array_equal(alone.complete(image, mask), drawn.complete(image, mask))


def test_one_that_was_mostly_trained_without_edges_takes_none_unless_asked(exported, make_case, tmp_path):
    """As the default weights: a request has to bring all inputs of its signature."""
    inpainter = exported("guided").inpainter
    inputs = make_case(40, 24).first(guided=False)
    mostly = Inpainter(inpainter.engine, edges_drop=0.7)
    saved = Inpainter.load(command.export(mostly, str(tmp_path / "model"), size=(40, 24)))
    assert not saved.takes_edges
    np.testing.assert_array_equal(saved.complete(*inputs), inpainter.complete(*inputs))
    for asked, taken in ((None, set()), (True, {"edges"}), (False, set())):
        names = contract(mostly, edges=command.with_edges(mostly, asked))["inputs"]
        assert names.keys() == {"image", "mask"} | taken
    assert command.with_edges(inpainter, None) and not command.with_edges(inpainter, False)
    with pytest.raises(InputError, match="leave out --edges"):
        command.with_edges(exported("lama").inpainter, True)


def test_the_command_exports_a_run(tmp_path, capsys):
    run, models = tmp_path / "run", tmp_path / "models" / "inpaint"
    write_untrained_run(run, TINY)
    options = ["--checkpoint_dir", str(run), "--output", str(models)]
    assert command.main([*options, "--max_pixels", "10000"]) == cli.DONE
    assert capsys.readouterr().out.splitlines()[-1] == str(models / "1")
    with pytest.raises(InputError, match="more than the limit of 10000 pixels"):
        command.main([*options, "--size", "200", "200", "--max_pixels", "10000"])
    assert os.listdir(models) == ["1"]


def _with_textures(inpainter, model):
    """Of two models that textures are drawn for, too, of which one takes edges."""
    return Inpainter(inpainter.engine, texture="patches") if model in ("guided", "lama") else inpainter


@pytest.mark.parametrize("model", ["deepfill_v1", "guided", "pen_net", "context_encoder", "lama"])
def test_tensorflow_lite_of_built_in_operations_alone(exported, make_case, tmp_path, model):
    inpainter = _with_textures(exported(model).inpainter, model)
    side = 32 if model == "context_encoder" else 64
    path = tmp_path / "deep" / "model.tflite"
    assert command.export_file(inpainter, str(path), "tflite", (side, side)) < 1e-3
    interpreter = interpreter_of(path.read_bytes())
    about = contract_of(path.read_bytes())
    assert about["inputs"]["mask"] == {"type": "uint8", "shape": [1, side, side, 1], "levels": "above 127 = hole"}
    assert set(about["outputs"]) == set(interpreter.get_signature_runner().get_output_details())
    kinds = {operation["op_name"] for operation in interpreter._get_ops_details()}
    assert not [kind for kind in kinds if kind.startswith("Flex") or "CUSTOM" in kind]
    case = make_case(side, side)
    case.masks[:] = 0
    case.masks[:, side * 3 // 8 : side * 5 // 8, side * 3 // 8 : side * 5 // 8] = 255
    for lines in (case.edges, np.zeros_like(case.edges)):
        case = dataclasses.replace(case, edges=lines)
        got = interpreter.get_signature_runner()(**case.arrays(inpainter.takes_edges))
        expected = inpainter.outputs(*case.first(inpainter.takes_edges))
        np.testing.assert_allclose(got["predicted"][0], expected["predicted"], atol=1e-3)
        np.testing.assert_allclose(got["completed"][0].astype(int), expected["completed"], atol=1)
    assert os.listdir(path.parent) == ["model.tflite"]
    if model == "deepfill_v1":
        half = tmp_path / "half.tflite"
        assert command.export_file(inpainter, str(half), "tflite", (64, 64), "float16") < 0.02
        assert half.stat().st_size < 0.75 * path.stat().st_size


def test_lama_of_large_images_has_no_fourier_operations_either(exported):
    """Where Keras takes the fast transform: maps wider than `LARGEST_PRODUCT`."""
    for size in ((16, 8 * LARGEST_PRODUCT + 8), None):
        graph = graph_of(exported("lama").inpainter, size).get_concrete_function().graph
        assert "FFT" not in str(graph.as_graph_def())
    assert "FFT" in str(_operations(exported("lama").folder))


@pytest.mark.parametrize("model", ["deepfill_v1", "lama"])
def test_onnx_where_its_packages_are_installed(exported, tmp_path, model):
    inpainter, path = exported(model).inpainter, tmp_path / "model.onnx"
    try:
        import onnxruntime
        import tf2onnx  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match=r"pip install 'tf_inpaint\[onnx\]'"):
            command.export_file(inpainter, str(path), "onnx", (64, 64))
        pytest.skip("tf2onnx and onnxruntime are not installed")
    assert command.export_file(inpainter, str(path), "onnx", (64, 64)) < 1e-3
    session = onnxruntime.InferenceSession(path.read_bytes())
    about = json.loads(session.get_modelmeta().custom_metadata_map[METADATA])
    assert {value.name: value.shape for value in session.get_inputs()} == {
        name: value["shape"] for name, value in about["inputs"].items()
    }
    half = tmp_path / "half.onnx"
    assert command.export_file(inpainter, str(half), "onnx", (64, 64), "float16") < 0.02
    assert half.stat().st_size < 0.8 * path.stat().st_size


@pytest.mark.parametrize("model", ["guided", "lama"])
def test_onnx_of_any_size(exported, make_case, tmp_path, model):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    inpainter, path = _with_textures(exported(model).inpainter, model), tmp_path / "model.onnx"
    assert command.export_file(inpainter, str(path), "onnx") < 0.01
    session = onnxruntime.InferenceSession(path.read_bytes())
    for height, width, corner in ((64, 64, "last"), (75, 130, "last"), (75, 130, "first")):
        case = make_case(height, width)
        if corner == "first":  # images are continued there by positions below 0
            case.masks = case.masks[:, ::-1, ::-1].copy()
            case.edges[:] = 0
        arrays = case.arrays(inpainter.takes_edges)
        got = dict(zip(("completed", "drawn"), session.run(["completed", "drawn"], arrays)))
        expected = inpainter.complete(*case.first(inpainter.takes_edges))
        assert np.abs(got["completed"][0].astype(int) - expected).max() <= 1
        known = case.masks[..., 0] <= 127
        np.testing.assert_array_equal(got["completed"][known], case.images[known])
