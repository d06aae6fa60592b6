"""What the command refuses before it exports anything, and with what servers warm up."""

from types import SimpleNamespace

import pytest
import tensorflow as tf

from tf_inpaint import export as command
from tf_inpaint.errors import InputError
from tf_inpaint.inference.inpainter import Inpainter
from tf_inpaint.recipes import RECIPES
from tf_inpaint.serving import messages
from tf_inpaint.serving.warmup import FILE, write_warmup


@pytest.mark.parametrize(
    "options, said",
    [
        (["--padding", "mirror"], "invalid choice"),
        (["--size", "0", "8"], "two positive numbers"),
        (["--format", "tflite"], "needs a --size"),
        (["--format", "onnx", "--size", "64", "64", "--precision", "bfloat16"], "not all of the precisions"),
        (["--format", "web", "--size", "64", "64"], "for images of any size"),
        (["--runtime", "node_modules"], "for --format web"),
        (["--about", "of photographs"], "for --format npz"),
        (["--format", "web", "--max_pixels", "10000"], "takes any picture"),
        (["--max_pixels", "-1"], "must be at least 1, not -1"),
        (["--max_pixels", "0"], "must be at least 1, not 0"),
        (["--format", "tflite", "--size", "64", "64"], "must end in .tflite"),
        (["--format", "npz"], "is for an --output that ends in .npz"),
    ],
)
def test_options_that_do_not_go_together(options, said, capsys):
    with pytest.raises(SystemExit):
        command.main(["--checkpoint_dir", "runs/unread", "--output", "models/unwritten", *options])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("options, said", [([], "takes no edges"), (["--edges", "yes"], "every request brings edges")])
def test_whether_requests_bring_edges_is_said(options, said, monkeypatch, capsys):
    loaded = SimpleNamespace(origin="photos", takes_edges=True, edges_drop=0.75, residuals=0.0)
    monkeypatch.setattr(Inpainter, "load", lambda *_, **__: loaded)
    monkeypatch.setattr(command, "export", lambda *_: "models/1")
    command.main(["--output", "models", *options])
    assert capsys.readouterr().out.splitlines()[1].startswith(said)


@pytest.mark.parametrize("strength, lines", [(0.0, 2), (0.5, 3)])
def test_what_residuals_of_an_exported_model_lack_is_said(strength, lines, monkeypatch, capsys):
    loaded = SimpleNamespace(origin="photos_v1", takes_edges=False, residuals=strength)
    monkeypatch.setattr(Inpainter, "load", lambda *_, **__: loaded)
    monkeypatch.setattr(command, "export", lambda *_: "models/1")
    command.main(["--output", "models"])
    said = capsys.readouterr().out
    assert len(said.splitlines()) == lines and ("get none of what shrinking loses" in said) == (strength > 0)


def test_what_cannot_be_served_is_said():
    def inpainter(name, **options):
        recipe = RECIPES[name](RECIPES[name].Options(width=4, **options))
        recipe.build(recipe.generator.minimum_size, recipe.generator.minimum_size)
        return Inpainter.of(recipe)

    with pytest.raises(InputError, match="images of one size: --size 32 32"):
        context_encoder = inpainter("context_encoder", image_size=32, bottleneck=8)
        command.export_file(context_encoder, "unused.tflite", "tflite", (64, 64))
    with pytest.raises(InputError, match="cannot be served, use test.py"):
        command.export(inpainter("dcgan", image_size=16), "unused")
    with pytest.raises(InputError, match="this model has no coarse: .*, or export photos_v1"):
        command.export(inpainter("pen_net"), "unused", outputs=("coarse",))
    recipe = RECIPES["lama"](RECIPES["lama"].Options(width=4, blocks=1))
    recipe.build_generator()
    lama = Inpainter.of(recipe, max_pixels=1 << 24, strategy="auto")
    lama.engine.max_memory = lama.engine.memory(1 << 12, 1 << 12) - 1
    assert lama.memory(1 << 12, 1 << 12) < lama.engine.max_memory  # of windows, which no server cuts
    with pytest.raises(InputError, match="images of 4096 x 4096 pixels would take about"):
        command.export(lama, "unused")


@pytest.mark.parametrize(
    "max_pixels, size, expected", [(1 << 20, None, 256), (10000, None, 100), (1, None, 1), (5, (2, 2), 2)]
)
def test_models_take_their_own_warm_up(max_pixels, size, expected, tmp_path):
    write_warmup(str(tmp_path), "model", True, max_pixels, size)
    (record, _) = tf.data.TFRecordDataset(str(tmp_path / FILE)).as_numpy_iterator()
    arrays = messages.arrays(messages.read("PredictionLog", record).predict_log.request.inputs)
    assert arrays["image"].shape == (1, expected, expected, 3)
    assert (arrays["mask"] > 0).mean() == (0 if expected == 1 else 0.25)  # no hole, or a part: never all
