"""python -m tf_inpaint.masks, called in this process."""

import numpy as np
import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.io.images import read_mask
from tf_inpaint.masks import main, sheet

CONFIG = """\
recipe: deepfill_v2
data: {image_size: 64}
mask: {kind: union, height: 16, width: 16, max_delta_height: 4, max_delta_width: 4, brush_width: [4, 10]}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "c.yml"
    path.write_text(CONFIG)
    return str(path)


def test_a_sheet_single_files_and_areas(config, tmp_path, capsys):
    output, folder = tmp_path / "sheet.png", tmp_path / "masks"
    common = ["--config", config, "--count", "6", "--measure", "20"]
    assert main([*common, "--output", str(output), "--folder", str(folder)]) == 0
    drawn = read_mask(output)
    assert drawn.shape == (2 * 64 + 4, 3 * 64 + 8)
    first = read_mask(folder / "00000.png")
    np.testing.assert_array_equal(drawn[:64, :64], first)
    assert len(list(folder.iterdir())) == 6
    printed = capsys.readouterr().out
    assert "area of 20 holes" in printed and "50%:" in printed

    more = ["--set", "mask.kind=outpainting", "--set", "mask.flip_files=false"]
    assert main([*common, "--output", str(output), *more]) == 0
    assert "mean 0.7500, deviation 0.0000" in capsys.readouterr().out


def test_the_seed_chooses_the_holes(config, tmp_path):
    sheets = []
    for number, seed in enumerate(["0", "0", "1"]):
        output = tmp_path / f"{number}.png"
        main(["--config", config, "--output", str(output), "--seed", seed, "--measure", "1"])
        sheets.append(output.read_bytes())
    assert sheets[0] == sheets[1] != sheets[2]


def test_mistakes_are_sentences(config, tmp_path):
    with pytest.raises(InputError, match="--count must be 1 to 10,000, not 0"):
        main(["--config", config, "--count", "0"])
    with pytest.raises(InputError, match="--measure must be 1 to 10,000, not 1,000,000"):
        main(["--config", config, "--measure", "1000000"])
    (tmp_path / "0.png").write_text("no image")
    with pytest.raises(InputError, match="none of the 1 files of mask.files can be read: .*0.png is not an image"):
        main(["--config", config, "--set", "mask.kind=files", f"mask.files={tmp_path}"])
    with pytest.raises(InputError, match="mask.kind must be one of .*, did you mean 'union'|mask.kind must be one of"):
        main(["--config", config, "--set", "mask.kind=unio"])


def test_a_sheet_is_as_square_as_it_gets():
    masks = np.zeros((5, 8, 8), bool)
    masks[4] = True
    drawn = sheet(masks)
    assert drawn.shape == (20, 32)
    assert (drawn[12:, 12:20] == 255).all() and (drawn[12:, 24:] == 128).all()
