"""The command guided_demo.py before it opens anything."""

import numpy as np
import pytest

from tf_inpaint.demo import command
from tf_inpaint.errors import InputError
from tf_inpaint.io.images import write_png


def test_without_a_window_all_options_of_the_model_reach_test_py(monkeypatch):
    seen = []
    monkeypatch.setattr(command.predict, "main", lambda argv: seen.append(argv) or 0)
    files = ["--image=x.png", "--mask=m.png", "--output=o.png"]
    model = ["--seed=0", "--temperature=0.5", "--attention=coarse", "--blend=feather", "--trust_saved_model"]
    command.main([*files, *model])
    assert sorted(seen[0]) == sorted([*files, "--mask_from=auto", *model])


def test_an_output_is_not_for_the_page(capsys):
    with pytest.raises(SystemExit):
        command.main(["--image", "x.png", "--output", "o.png", "--web"])
    assert "--output is not for --web" in capsys.readouterr().err


def test_saved_layers_do_not_take_the_place_of_what_is_given(tmp_path):
    image = str(tmp_path / "o_mask.png")
    write_png(image, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match="o_mask.png is one of the inputs"):
        command.main(["--image", image, "--output", str(tmp_path / "o.png")])


def test_a_layer_that_was_saved_is_gone_on_with_but_in_no_other_s_place(tmp_path, monkeypatch):
    from tf_inpaint.demo import window

    class Reached(Exception):
        pass

    def reached():
        raise Reached

    monkeypatch.setattr(window, "check_display", reached)
    image, mask = (str(tmp_path / name) for name in ("x.png", "x_completed_mask.png"))
    for file in (image, mask):
        write_png(file, np.eye(8, dtype=np.uint8).repeat(3).reshape(8, 8, 3) * 255)
    with pytest.raises(Reached):
        command.main(["--image", image, "--mask", mask])
    with pytest.raises(InputError, match="x_completed_mask.png is one of the inputs"):
        command.main(["--image", image, "--edges", mask])
