"""The whole of an evaluation on small images: the function, the command, what it writes and what it refuses."""

import csv
import functools
import json
import re

import numpy as np
import pytest
import tensorflow as tf
from runs import write_run

from tf_inpaint import cli
from tf_inpaint.errors import InputError
from tf_inpaint.evaluate import main
from tf_inpaint.evaluation import baselines, evaluate, plots
from tf_inpaint.evaluation.protocols import choose
from tf_inpaint.inference.inpainter import Inpainter
from tf_inpaint.io.images import read_image, write_png
from tf_inpaint.io.listing import list_files
from tf_inpaint.recipes import RECIPES

CHEAP = ("mean", "border_mean")
WRITTEN = {"results.json", "results.csv", "per_image.csv", "report.html", "sheet.png", "by_hole_share.png", "run.json"}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Seven smooth images of 40 x 32."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(7):
        coarse = rng.integers(0, 256, (5, 4, 3), np.uint8)
        write_png(folder / f"{number}.png", coarse.repeat(8, axis=0).repeat(8, axis=1))
    return str(folder)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run folder with a narrow network and some training curves."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    recipe = RECIPES["deepfill_v1"](RECIPES["deepfill_v1"].Options(width=4))
    recipe.generator((tf.zeros([1, 64, 64, 3]), tf.zeros([1, 64, 64, 1])))
    write_run(folder, recipe, {"recipe": "deepfill_v1", "options": {"width": 4}})
    lines = [json.dumps({"step": step, "generator_loss": 1.0 / step, "psnr": 10.0 + step}) for step in range(1, 5)]
    (folder / "scalars.jsonl").write_text("\n".join(lines) + '\n{"step": 5, "gen')
    return str(folder)


def _numbers(results):
    return {(m["name"], k): v["mean"] for m in results["methods"] for k, v in m["results"].items()}


def _command(images, output, *options):
    """Arguments of the command; options may say otherwise."""
    return [*_tasks(images), "--baselines", "mean", "--output", str(output), *options]


def _tasks(images):
    return ["--images", str(images), "--protocol", "centre", "--size", "32"]


def _results(output):
    return json.loads((output / "results.json").read_text())


def _assert_equal_files(a, b, names=("results.json", "results.csv", "per_image.csv")):
    for name in names:
        assert (a / name).read_bytes() == (b / name).read_bytes()


def _by_mean(files, mask):
    """(image, completed by the baseline `mean`) of each file at 32 pixels."""
    for file in files:
        image = read_image(file).rgb[4:36]
        yield image, np.where(mask[..., np.newaxis], baselines.mean(image, mask), image)


@pytest.fixture
def broken(images, tmp_path):
    """A folder of a.png, b.png and c.png, of which b.png is cut short."""
    for name in "abc":
        write_png(tmp_path / "in" / f"{name}.png", read_image(f"{images}/0.png").rgb)
    _cut(tmp_path / "in" / "b.png")
    return tmp_path / "in"


def _cut(path):
    path.write_bytes(path.read_bytes()[:60])


def test_everything_is_written_and_says_what_it_is(images, tmp_path):
    output = tmp_path / "out"
    results = evaluate(images, output, "centre", size=32, baselines=CHEAP)
    assert WRITTEN <= {path.name for path in output.iterdir()}
    assert results == _results(output)
    assert results["pictures"]["count"] == 7 and results["masks"]["sha256"] == choose("centre", 32).masks_sha256(7)
    assert all(metric["region"] and metric["range"] and metric["formula"] for metric in results["metrics"].values())
    for name in ("ms_ssim", "vgg_distance", "fid"):  # too small; no weights
        assert results["metrics"][name]["not_measured"]
    with open(output / "per_image.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7 * len(CHEAP)
    own = [float(row["psnr"]) for row in rows if row["method"] == "mean"]
    assert np.mean(own) == pytest.approx(_numbers(results)["mean", "psnr"], rel=1e-9)


def test_numbers_are_those_of_numpy(images, tmp_path):
    results = evaluate(images, tmp_path, "centre", size=32, baselines=["mean"])
    mask = choose("centre", 32).draw(0)
    expected = {"l1": [], "hole_l2": [], "psnr": []}
    for image, completed in _by_mean(list_files(images), mask):
        error = (completed / 255.0 - image / 255.0) ** 2
        expected["l1"].append(np.sqrt(error).mean())
        expected["hole_l2"].append(error[mask].mean())
        expected["psnr"].append(-10 * np.log10(error.mean()))
    for metric, values in expected.items():
        assert _numbers(results)["mean", metric] == pytest.approx(np.mean(values), rel=1e-9)


def test_twice_is_the_same_to_the_byte_and_going_on_too(images, tmp_path):
    options = {"protocol": "deepfill_v2_freeform", "size": 32, "baselines": CHEAP}
    evaluate(images, tmp_path / "a", **options)
    evaluate(images, tmp_path / "b", batch_size=3, **options)

    def stop(done, total):
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(images, tmp_path / "c", batch_size=2, progress=stop, **options)
    seen = []
    evaluate(images, tmp_path / "c", progress=lambda done, total: seen.append((done, total)), **options)
    assert seen == [(4, 7), (7, 7)]
    _assert_equal_files(tmp_path / "a", tmp_path / "b")
    _assert_equal_files(tmp_path / "a", tmp_path / "c")
    with pytest.raises(InputError, match="seed"):
        evaluate(images, tmp_path / "a", seed=3, **options)
    assert evaluate(images, tmp_path / "a", seed=3, restart=True, **options)["protocol"]["seed"] == 3


def test_shards_of_several_machines_come_to_the_same_bytes(images, tmp_path, capsys):
    output, options = tmp_path / "shards", ["--protocol", "nvidia_ratio_bins", "--baselines", *CHEAP]
    for shard, count in (("3/3", 2), ("1/3", 3), ("2/3", 2), ("8/8", 0)):
        assert main(_command(images, output, *options, "--shard", shard)) == cli.DONE
        said = capsys.readouterr()
        assert f"shard {shard}: {count} images measured, numbers in {output}; once all shards are there" in said.out
        assert f"{count} of {count} images" in said.err
    assert not {path.name for path in output.iterdir()} & (WRITTEN | {"rows.jsonl"})
    assert main(_command(images, output, *options)) == cli.DONE
    assert "7 of 7 images" in capsys.readouterr().err and (output / "rows.jsonl").read_text() == ""
    assert main(_command(images, tmp_path / "whole", *options)) == cli.DONE
    _assert_equal_files(output, tmp_path / "whole", WRITTEN - {"report.html", "run.json"})


def test_what_shards_left_out_is_named_by_all_and_what_they_lack_is_measured(broken, tmp_path, capsys):
    write_png(broken / "d.png", read_image(broken / "a.png").rgb)
    output = tmp_path / "out"
    command = _command(broken, output)
    assert main([*command, "--shard", "2/2"]) == cli.SOME_FAILED
    said = capsys.readouterr()
    assert "shard 2/2: 1 image measured" in said.out and "left out: b.png: it is damaged" in said.err
    assert main(command) == cli.SOME_FAILED
    assert "left out: b.png: it is damaged" in capsys.readouterr().err
    assert _results(output)["pictures"]["count"] == 3
    assert [json.loads(line)["number"] for line in (output / "rows.jsonl").read_text().splitlines()] == [0, 2]


@pytest.mark.slow
def test_a_checkpoint_beside_baselines_whatever_the_batch(images, run_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(Inpainter, "load", functools.cache(Inpainter.load))  # the same graph for both
    options = {"protocol": "deepfill_v1_rect", "size": 32, "checkpoints": [run_folder], "baselines": ["mean"]}
    one = evaluate(images, tmp_path / "1", batch_size=1, limit=3, **options)
    several = evaluate(images, tmp_path / "4", batch_size=3, limit=3, **options)
    assert [method["name"] for method in one["methods"]] == ["tiny", "mean"]
    assert one["methods"][0]["about"] == "checkpoint step-00000001" and one["methods"][0]["weights_sha256"]
    for key, value in _numbers(one).items():
        assert _numbers(several)[key] == pytest.approx(value, abs=1e-6)
    assert (tmp_path / "1" / "training.png").is_file()
    assert len(plots.read_scalars(tmp_path / "nowhere")) == 0


@pytest.mark.slow
def test_a_checkpoint_with_several_strengths_of_residuals(images, run_folder, tmp_path):
    options = {"size": 64, "limit": 1, "checkpoints": [run_folder], "baselines": [], "residuals": [None, 1]}
    results = evaluate(images, tmp_path / "out", "deepfill_v1_rect", **options)
    (plain, rough), numbers = results["methods"], _numbers(results)
    assert [plain["name"], rough["name"]] == ["tiny default", "tiny 1"]
    assert rough["about"].endswith(", residuals 1")
    assert len(set(numbers.values())) > len(numbers) / 2 + 1, "the two differ"


@pytest.mark.slow
def test_a_checkpoint_with_and_without_texture(images, run_folder, tmp_path):
    options = {"size": 64, "limit": 1, "checkpoints": [run_folder], "baselines": [], "textures": ["none", "patches"]}
    results = evaluate(images, tmp_path / "out", "deepfill_v1_rect", **options)
    (plain, drawn), numbers = results["methods"], _numbers(results)
    assert [plain["name"], drawn["name"]] == ["tiny none", "tiny patches"]
    assert [each["about"].rsplit(", ")[-1] for each in (plain, drawn)] == ["texture none", "texture patches"]
    assert len(set(numbers.values())) > len(numbers) / 2 + 1, "the two differ"


def test_what_others_completed_is_measured_by_the_same_ruler(images, tmp_path, capsys):
    tasks = tmp_path / "tasks"
    protocol = ["--protocol", "nvidia_ratio_bins"]
    command = _command(images, tmp_path / "out", *protocol)
    assert main([*_tasks(images), *protocol, "--export_tasks", str(tasks)]) == cli.DONE
    truth, mean = tmp_path / "theirs", tmp_path / "means"
    for file in list_files(str(tasks / "images")):
        name = file.rsplit("/", 1)[1]
        image, mask = (
            read_image(f"{images}/{name}").rgb[4:36],
            read_image(file.replace("images", "masks")).rgb[..., 0] > 127,
        )
        np.testing.assert_array_equal(read_image(file).rgb, np.where(mask[..., np.newaxis], 255, image))
        write_png(truth / name, image)
        write_png(mean / name, np.where(mask[..., np.newaxis], baselines.mean(image, mask), image))
    assert main([*command, "--completions", str(truth), f"again={mean}"]) == cli.DONE
    numbers = _numbers(_results(tmp_path / "out"))
    assert numbers["theirs", "psnr"] == 100.0 and numbers["theirs", "ssim"] == pytest.approx(1.0)
    assert all(numbers["again", key] == value for (name, key), value in numbers.items() if name == "mean")
    printed = capsys.readouterr().out
    assert choose("nvidia_ratio_bins", 32).masks_sha256(7) in printed
    assert "7 pictures, 32 x 32" in printed and "psnr by hole share" in printed and "hole only" in printed
    assert "sum m|c-t| / sum m" in printed and "not measured: no weights at hand" in printed


def test_broken_images_are_named_and_left_out_for_all(images, broken, tmp_path, capsys):
    for name in "ab":
        write_png(tmp_path / "theirs" / f"{name}.png", np.zeros((32, 32, 3), np.uint8))
    output = tmp_path / "out"
    command = _command(broken, output, "--completions", str(tmp_path / "theirs"))
    assert main(command) == cli.SOME_FAILED
    said = capsys.readouterr()
    assert "1 picture of 3: 2 left out" in said.out
    assert "left out: b.png: it is damaged" in said.err
    assert "left out: c.png: theirs has no completion of it" in said.err
    assert list(_results(output)["pictures"]["left_out"]) == ["b.png", "c.png"]
    assert "2 pictures are left out" in (output / "report.html").read_text()
    write_png(broken / "b.png", read_image(f"{images}/1.png").rgb)  # mended: it is another evaluation now
    with pytest.raises(InputError, match="differs in pictures"):
        main(command)


def test_the_report_needs_nothing_but_itself(images, tmp_path):
    strange = tmp_path / "<b>&"
    write_png(strange / "x.png", read_image(f"{images}/0.png").rgb)
    write_png(strange / "y.png", read_image(f"{images}/1.png").rgb)
    evaluate(str(strange), tmp_path / "out", "centre", size=32, baselines=["mean"])
    page = (tmp_path / "out" / "report.html").read_text()
    sources = re.findall(r'(?:src="|href="|url\()(.{0,22})', page)
    assert len(sources) == 4 and all(source == "data:image/png;base64," for source in sources)
    assert "http" not in page and "<script" not in page and "<b>&" not in page
    shown = re.findall(r'aria-label="(\w+)" style="background-position-x: ([\d.]+)%"', page)
    assert shown == 3 * [("input", "0.0"), ("truth", "50.0"), ("mean", "100.0")]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--baselines", "none"], "nothing to evaluate"),
        (["--baselines", "criminisi"], "no baseline criminisi"),
        (["--masks", "x"], "draws its holes"),
        (["--protocol", "from_files"], "needs masks"),
        (["--size", "4"], "the size must be 16 to 4096"),
        (["--limit", "0"], "the limit must be"),
        (["--batch_size", "0"], "the batch size must be"),
        (["--shard", "3/2"], "--shard must be i/n with i from 1 to n, such as 2/8, not 3/2"),
        (["--checkpoint_dir", "nowhere"], "nowhere"),
        (["--vgg_weights", "nowhere.h5"], "no file nowhere.h5"),
    ],
)
def test_mistakes_are_one_sentence(images, tmp_path, arguments, said):
    with pytest.raises(InputError, match=said):
        main(_command(images, tmp_path / "o", *arguments))
    assert not (tmp_path / "o").exists()


def test_a_baseline_without_its_package_is_left_out_and_named(images, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(baselines.Baseline, "missing", lambda self: "it needs x" if self.module == "patchmatch" else "")
    output = tmp_path / "o"
    assert main(_command(images, output, "--baselines", "patchmatch", "mean")) == cli.DONE
    assert "not compared: patchmatch: it needs x" in capsys.readouterr().out
    assert "not compared: it needs x" in (output / "report.html").read_text()
    with pytest.raises(InputError, match="nothing to evaluate: .*; patchmatch: it needs x"):
        main(_command(images, tmp_path / "p", "--baselines", "patchmatch"))


def test_what_a_method_refuses_is_said_before_the_folder_is_begun(images, run_folder, tmp_path):
    with pytest.raises(InputError, match="residuals is a strength, 0 to 1, not 2.0"):
        main(_command(images, tmp_path / "o", "--checkpoint_dir", run_folder, "--residuals", "2"))
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    "options", [["--shard", "1/2"], ["--checkpoint_dir", "photos"], ["--baselines=none", "--output", "o"], ["--ray"]]
)
def test_what_exporting_tasks_does_not_heed_is_refused(images, tmp_path, options, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*_tasks(images), *options, "--export_tasks", str(tmp_path / "t")])
    names = ", ".join(word.partition("=")[0] for word in options if word.startswith("--"))
    assert ended.value.code == cli.BAD_INPUT and f"leave out {names} (" in capsys.readouterr().err
    assert not (tmp_path / "t").exists()


def test_actors_are_refused_where_there_are_none(images, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(_command(images, tmp_path / "o", "--actors", "4"))
    assert "--actors is for --ray" in capsys.readouterr().err


def test_two_images_of_one_name_are_refused(images, tmp_path):
    write_png(tmp_path / "x.png", np.zeros((32, 32, 3), np.uint8))
    (tmp_path / "x.jpg").write_bytes((tmp_path / "x.png").read_bytes())
    with pytest.raises(InputError, match="the same name: x.jpg and x.png"):
        evaluate(str(tmp_path), tmp_path / "out", "centre", size=32)


def test_vgg_and_fid_in_the_table_when_there_are_weights(images, tmp_path, monkeypatch):
    from tf_inpaint.evaluation import features

    class Thumbnails:
        """Stands for InceptionV3: the mean colours of an image."""

        def __init__(self, weights):
            pass

        def features(self, images):
            return images.mean(axis=(1, 2)).astype(np.float32)

    (tmp_path / "w.h5").write_bytes(b"weights")
    monkeypatch.setattr(features, "Inception", Thumbnails)
    monkeypatch.setattr(features.inception, "CHANNELS", 3)
    options = {"protocol": "centre", "size": 32, "baselines": ["mean"], "inception_weights": str(tmp_path / "w.h5")}
    results = evaluate(images, tmp_path / "out", **options)
    pairs = list(_by_mean(list_files(images), choose("centre", 32).draw(0)))
    rows = np.float32(pairs).mean(axis=(2, 3), dtype=float).astype(np.float32)  # [images, 2, 3]
    moments = [features.mean_and_covariance([rows[:, i].astype(float)]) for i in (0, 1)]
    expected = features.frechet_distance(*moments[0], *moments[1])
    assert _numbers(results)["mean", "fid"] == pytest.approx(expected, rel=1e-6)
    again = evaluate(images, tmp_path / "out", **options)  # all is measured already
    assert again == results
    for shard in ("2/2", "1/2"):
        evaluate(images, tmp_path / "shards", shard=shard, **options)
    assert evaluate(images, tmp_path / "shards", **options) == results
    (tmp_path / "shards" / "features" / "truth-2-of-2.f32").unlink()
    with pytest.raises(InputError, match="features of images measured are not all in .*truth-2-of-2.f32"):
        evaluate(images, tmp_path / "shards", **options)
