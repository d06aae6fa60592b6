"""docs/ablations.md: every command on it is a config."""

import re
from pathlib import Path

import pytest

from tf_inpaint.config import load_config

ROOT = Path(__file__).resolve().parents[3]


def _rows():
    config = None
    for line in (ROOT / "docs" / "ablations.md").read_text().splitlines():
        if command := re.match(r"python train.py --config (\S+)", line):
            config = command[1]
        elif line.startswith("|") and (changes := re.search(r"`--set ([^`]+)`", line)):
            yield config, changes[1]


@pytest.mark.parametrize("config, changes", _rows())
def test_every_row_is_a_config_of_its_own(config, changes):
    plain = load_config(ROOT / config)
    changed = load_config(ROOT / config, changes.split())
    assert changed.options != plain.options and changed.data == plain.data


def test_every_attention_gan_and_convolution_has_its_row():
    rows = " ".join(changes for _, changes in _rows())
    for value in "spatial_transformer appearance_flow none least_squares minimax partial plain skips=true".split():
        assert value in rows
