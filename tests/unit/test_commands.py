"""`tf-inpaint COMMAND`: every command under one name."""

import importlib
import subprocess
import sys

import pytest

from tf_inpaint import __main__ as commands
from tf_inpaint import cli


def _run(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        commands.main(argv)
    return ended.value.code, *capsys.readouterr()


@pytest.fixture(autouse=True)
def _called(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/usr/bin/tf-inpaint"])
    token = cli._program.set("")
    yield
    cli._program.reset(token)


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_each_command_is_called_as_the_user_calls_it(name, capsys):
    code, out, _ = _run([name, "--help"], capsys)
    assert code == 0 and out.startswith(f"usage: tf-inpaint {name} [-h]")


@pytest.mark.slow
def test_no_help_waits_for_tensorflow():
    program = (
        "import importlib, sys\n"
        "from tf_inpaint.__main__ import COMMANDS\n"
        "for command in COMMANDS.values():\n"
        "    try: importlib.import_module(command.module).main(['--help'])\n"
        "    except SystemExit: pass\n"
        "    assert 'tensorflow' not in sys.modules, command\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("usage: ") == len(commands.COMMANDS)


def test_commands_are_listed(capsys):
    code, out, _ = _run(["--help"], capsys)
    assert code == 0 and all(f"\n  {name} " in out for name in commands.COMMANDS)


@pytest.mark.parametrize(
    "argv, said", [([], "a command is missing"), (["paint"], "there is no command 'paint'")], ids=["none", "other"]
)
def test_without_a_command_that_there_is_they_are_listed_as_an_error(argv, said, capsys):
    code, out, err = _run(argv, capsys)
    assert (code, out) == (2, "") and err.startswith(f"error: {said} (see --help)\n")
    assert all(f"\n  {name} " in err for name in commands.COMMANDS)


def test_scripts_are_called_by_their_own_names(capsys):
    with pytest.raises(SystemExit):
        importlib.import_module("tf_inpaint.training.command").main(["--help"])
    assert capsys.readouterr().out.startswith("usage: train.py [-h]")


def test_configs_are_found_by_name(capsys):
    code, out, _ = _run(["train"], capsys)
    assert code == 2 and "\nquickstart " in out and "Begin with: tf-inpaint train --config NAME" in out
