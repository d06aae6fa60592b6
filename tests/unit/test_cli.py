"""Exit codes and one-line errors of every command."""

import errno
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from tf_inpaint import cli
from tf_inpaint.errors import InputError


def _exit_code(main, argv=()):
    with pytest.raises(SystemExit) as stopped:
        cli.run(main, argv)
    return stopped.value.code


def _raising(error):
    def main(argv):
        raise error

    return main


@pytest.mark.parametrize("returned, code", [(None, 0), (0, 0), (1, 1), (2, 2)])
def test_exit_code_is_what_main_returns(returned, code):
    assert _exit_code(lambda argv: returned) == code


def test_main_gets_the_arguments():
    seen = []
    _exit_code(seen.extend, ["--image", "x.png"])
    assert seen == ["--image", "x.png"]


def test_an_input_error_is_one_line(capsys):
    assert _exit_code(_raising(InputError("x.png is\nno image"))) == 2
    assert capsys.readouterr().err == "error: x.png is no image\n"


def test_debug_shows_the_trace_before_the_line(capsys):
    assert _exit_code(_raising(InputError("wrong")), ["--debug"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("Traceback") and err.endswith("\nerror: wrong\n")


def test_the_keyboard_interrupts_with_130(capsys):
    assert _exit_code(_raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "runs/a/checkpoints/step-1"),
        tf.errors.ResourceExhaustedError(None, None, "runs/a/checkpoints/step-1.data; No space left on device"),
    ],
)
def test_a_full_disk_is_called_so(error, capsys):
    assert _exit_code(_raising(error)) == 2
    assert capsys.readouterr().err.startswith("error: the disk is full")


@pytest.mark.parametrize("error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")])
def test_exhausted_memory_is_called_so(error, capsys):
    assert _exit_code(_raising(error)) == 2
    assert capsys.readouterr().err.startswith("error: out of memory")


def test_a_file_the_system_refuses_is_named(capsys):
    assert _exit_code(_raising(PermissionError(errno.EACCES, "Permission denied", "o.png"))) == 2
    assert capsys.readouterr().err == "error: o.png: Permission denied\n"


def test_a_defect_keeps_its_trace():
    with pytest.raises(KeyError):
        cli.run(_raising(KeyError("x")), [])


@pytest.mark.parametrize("argv", [["--sise", "3"], ["--siz", "3"], ["--size", "big"]])
def test_bad_usage_is_one_line_and_2(argv, capsys):
    def main(argv):
        parser = cli.Parser()
        parser.add_argument("--size", type=int)
        parser.parse_args(argv)

    assert _exit_code(main, argv) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1


@pytest.mark.parametrize("argv", [["--length", "3"], ["--length=3"]])
def test_old_names_of_options_work_with_a_note_and_are_not_shown(argv, capsys):
    parser = cli.Parser(renamed={"--length": "--size"})
    parser.add_argument("--size", type=int)
    assert parser.parse_args(argv).size == parser.parse_args(["--size", "3"]).size == 3
    assert capsys.readouterr().err == "warning: --length is now called --size\n"
    assert "--length" not in parser.format_help()


def test_warnings_are_one_line(capsys):
    cli.warn("the mask\nis empty")
    assert capsys.readouterr().err == "warning: the mask is empty\n"


@pytest.mark.slow
def test_the_module_starts_without_tensorflow_and_imports_it_silently():
    program = (
        "import gc, sys; from tf_inpaint import cli\n"
        "def main(argv):\n"
        "    print('tensorflow' in sys.modules)\n"
        "    print(cli.import_tensorflow().__name__)\n"
        "    print(gc.isenabled(), gc.get_freeze_count() > 100_000)\n"
        "cli.run(main)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "False\ntensorflow\nTrue True\n"
    assert done.stderr == ""
