"""What every command shares: one-line errors, exit codes, a parser.

A command is a function `main(argv) -> exit code`; `run(main)` calls it and ends the program:

    0    done
    1    some inputs failed, the rest were done
    2    bad usage or bad input; one line `error: ...` says what
    130  interrupted from the keyboard

Nothing here imports TensorFlow, so that a mistyped option is answered at once.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from typing import Callable, NoReturn

from tf_inpaint.errors import InputError, one_line

DONE, SOME_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class Parser(argparse.ArgumentParser):
    """An ArgumentParser with `--debug`, without abbreviations, whose complaints are one line.

    Args:
        renamed: old option -> new option; old ones keep working, with a note, and are not in the help.
    """

    def __init__(self, renamed: Mapping[str, str] | None = None, **kwargs):
        super().__init__(allow_abbrev=False, **kwargs)
        self._renamed = renamed or {}
        self.add_argument("--debug", action="store_true", help="show the trace of an error")

    def parse_known_args(self, args: Sequence[str] | None = None, namespace=None):
        """argparse's, which `parse_args` calls too."""
        words = []
        for word in sys.argv[1:] if args is None else args:
            option, equals, value = word.partition("=")
            if option in self._renamed:
                warn(f"{option} is now called {self._renamed[option]}")
            words.append(self._renamed.get(option, option) + equals + value)
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"error: {message} (see --help)\n")


def run(main: Callable[[Sequence[str]], int | None], argv: Sequence[str] | None = None) -> NoReturn:
    """Runs a command and ends the program with its exit code.

    Mistakes a user can mend become one line on stderr and exit code 2, with the trace before it where `--debug` is
    among the arguments. Anything else is a defect of ours and keeps its trace.

    Args:
        main: takes the list of arguments, returns an exit code (None counts as 0).
        argv: the arguments; those of the process by default.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    debug = "--debug" in argv
    if not debug:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what matters to a user arrives as a Python error
    try:
        code = main(argv) or DONE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = INTERRUPTED
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        if debug:
            traceback.print_exc()
        print(f"error: {sentence}", file=sys.stderr)
        code = BAD_INPUT
    sys.exit(code)


def import_tensorflow():
    """The module `tensorflow`, imported without the lines about devices it writes before its log level takes effect.

    They are held back, and shown after all where the import fails or `TF_CPP_MIN_LOG_LEVEL` is below 3.
    """
    if "tensorflow" in sys.modules or os.environ.get("TF_CPP_MIN_LOG_LEVEL") != "3":
        return importlib.import_module("tensorflow")
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            return importlib.import_module("tensorflow")
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)


def warn(message: str) -> None:
    """One line `warning: ...` on stderr."""
    print(f"warning: {one_line(message)}", file=sys.stderr)


def explain(error: BaseException) -> str | None:
    """The sentence for an error that a user can mend, None for any other."""
    if isinstance(error, InputError):
        return one_line(error)
    if _disk_is_full(error):
        place = getattr(error, "filename", None)
        return f"the disk is full{f', writing {place}' if place else ''}: free some space and run the command again"
    if isinstance(error, MemoryError) or _is_resource_exhausted(error):
        return f"out of memory: take smaller images or a smaller batch ({one_line(error)[:200]})"
    if isinstance(error, OSError) and error.filename is not None:
        return one_line(f"{error.filename}: {error.strerror or error}")
    return None


def _disk_is_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return _is_resource_exhausted(error) and os.strerror(errno.ENOSPC) in str(error)


def _is_resource_exhausted(error: BaseException) -> bool:
    """TensorFlow's error for a full disk and for exhausted memory alike, asked without importing TensorFlow."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(error, tensorflow.errors.ResourceExhaustedError)
