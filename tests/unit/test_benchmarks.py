"""Benchmarks are run by hand; that they still find what they import is seen here."""

import importlib.util
import json
import sys

import pytest
from runs import ROOT


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda file: file.stem)
def test_a_benchmark_can_be_loaded(file, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    spec = importlib.util.spec_from_file_location(f"benchmark_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    assert module.__doc__


@pytest.fixture
def ablation(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    return importlib.import_module("ablation")


def test_an_ablation_makes_each_run_once_and_every_form_has_a_seed_before_any_has_two(ablation):
    found = ablation.runs(["attention", "gan"])
    assert len(found) == len(set(found)) == 4 + 3 * 3 - 1
    assert [seed for _, seed in found] == sorted(seed for _, seed in found)
    assert ablation.runs(["attention", "gan"], ["v1"], seeds=2) == [("v1", 0), ("v1", 1)]


def test_an_ablation_prints_its_tables_from_what_is_there(ablation, tmp_path, capsys):
    for seed, level in enumerate((0.1, 0.3)):
        results = ablation.place(tmp_path, "v1 minimax", seed) / "results"
        results.mkdir(parents=True)
        (results / "results.csv").write_text(f"method,metric,mean\nform,hole_l1,{level}\nform,ssim,\n")
        (results.parent / "run").mkdir()
        l1 = "\n".join(f'{{"step": {step}, "hole_l1": {value}}}' for step, value in enumerate((0.3, 0.1, level, 0.2)))
        (results.parent / "run" / "scalars.jsonl").write_text(l1)
    for form, seed, values in (("v1", 0, (1, 2, 4)), ("v1 minimax", 0, (2, 4, 5))):
        results = ablation.place(tmp_path, form, seed) / "results"
        results.mkdir(parents=True, exist_ok=True)
        lines = (f"{name}.png,{value}" for name, value in zip("abc", values))
        (results / "per_image.csv").write_text("\n".join(["picture,feature_distance", *lines]))
    lost = ablation.place(tmp_path, "v1 minimax", 2)
    lost.mkdir()
    (lost / "ended.txt").write_text("the loss is nan")
    run = ablation.place(tmp_path, "gl", 0) / "run"
    run.mkdir(parents=True)
    (run / "config.yml").write_text("data: {batch_size: 4}")
    lines = (
        f'{{"step": {step}, "images_per_second": 2, "hole_l1": {level}}}' for step, level in ((5, 0.2), (10, 0.05))
    )
    (run / "scalars.jsonl").write_text("\n".join(lines))
    ablation.main(["--output", str(tmp_path), "--table", "--groups", "gan", "speed"])
    text = capsys.readouterr().out
    behind, rise = "+1.3333 ± 0.3333", "0.1500 ± 0.0707"  # of 1, 2, 1; of 0.1 and 0.2
    assert f"| v1 minimax | 2 + 1 ended | - | 0.2000 ± 0.1414 | - | - | - | {behind} | {rise} |" in text
    assert "| gl | 0 + 0 ended | - | - | - | - | - | - | 20 |" in text
    lines = (tmp_path / "runs.csv").read_text().splitlines()
    assert lines[1:] == ["v1 minimax,0,,0.1,,,,0.1000", "v1 minimax,1,,0.3,,,,0.2000"]
    assert (tmp_path / "tables.md").read_text().strip() == text.strip()


def test_an_ablation_shows_the_methods_beside_the_baselines(ablation, tmp_path, capsys):
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "results.csv").write_text("method,metric,mean\ngl,ssim,0.5\ntelea,ssim,0.7\n")
    ablation.main(["--output", str(tmp_path), "--table", "--groups", "methods"])
    text = capsys.readouterr().out
    assert "| telea | - | - | - | - | 0.7000 | - | - | - | - |" in text
    assert "| gl boxes | 0 + 0 ended | - | - | - | - | - | - | - | - |" in text


def test_the_gpu_s_parts_are_kept_as_they_come_and_one_that_fails_or_hangs_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    gpu = importlib.import_module("gpu")
    file = tmp_path / "gpu.json"
    programs = {
        "images": "print('talk'); print('RESULT {\"256 float32\": 2.5, \"256 tf32\": \"ResourceExhaustedError\"}')",
        "bits": f"import json, sys; sys.exit('%d part is there' % len(json.load(open({str(file)!r}))))",
        "memory": "import time; time.sleep(600)",
        "step": "print('RESULT {\"64x1 float32\": 1}', flush=True); raise SystemExit('the device is gone')",
    }
    commands = [(name, [name[0]], 600, [sys.executable, "-c", text]) for name, text in programs.items()]
    commands[2] = (*commands[2][:2], 0.5, commands[2][3])
    found = gpu.run_all(commands, file, 600)
    assert found == json.loads(file.read_text()) and len(found) == 4
    assert (found[3]["said"], found[3]["failed"]) == ({"64x1 float32": 1}, "the device is gone")
    assert found[0]["said"]["256 float32"] == 2.5
    assert (found[1]["failed"], found[2]["failed"]) == ("1 part is there", "was not done after 0 s")
    assert gpu.run_all(commands[:1], file, 0)[0]["failed"] == "no time was left"
    gpu.show(found)
    said = capsys.readouterr().out
    assert "i 256" in said and "ResourceExhaustedError" in said and "bits b: 1 part is there" in said
    names = [name for name, _, _ in gpu.parts()]
    assert names[0] == "golden" and set(names) == set(gpu.PARTS)
