"""The server's files of settings in serving/."""

import re
from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format

FOLDER = Path(__file__).resolve().parents[3] / "serving"


def test_settings_are_known_and_name_files_that_exist():
    """As far as Serving's Python package knows the messages; the others are read as settings of known names."""
    batching = (FOLDER / "batching.config").read_text()
    settings = re.findall(r"^(\w+) \{ value: (\d+) \}", batching, re.MULTILINE)
    known = {"max_batch_size", "batch_timeout_micros", "num_batch_threads", "max_enqueued_batches"}
    assert {name for name, _ in settings} == known
    compose = yaml.safe_load((FOLDER / "docker-compose.yml").read_text())
    named = re.findall(r"/config/([\w.]+)", " ".join(compose["services"]["serving"]["command"]))
    assert len(named) == 3 and all((FOLDER / name).exists() for name in named)
    reason = "tensorflow-serving-api not installed"
    config = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2", reason=reason)
    models = text_format.Parse((FOLDER / "models.config").read_text(), config.ModelServerConfig())
    assert [model.name for model in models.model_config_list.config] == ["inpaint"]
