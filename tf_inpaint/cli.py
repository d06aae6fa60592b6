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
import atexit
import contextlib
import contextvars
import errno
import gc
import importlib
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Callable, NoReturn

from tf_inpaint.errors import InputError, one_line, reason

DONE, SOME_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class Parser(argparse.ArgumentParser):
    """An ArgumentParser with `--debug`, without abbreviations, whose complaints are one line.

    Args:
        prog: how the command is called, unless `run` knows another name.
        renamed: old option -> new option; old ones keep working, with a note, and are not in the help.
    """

    def __init__(self, prog: str = "command", renamed: Mapping[str, str] | None = None, **kwargs):
        super().__init__(prog=program(prog), allow_abbrev=False, **kwargs)
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


_program: contextvars.ContextVar[str] = contextvars.ContextVar("program", default="")


def program(default: str) -> str:
    """How the command that runs is called in what it says: by default as itself, or as `run` was told."""
    return _program.get() or default


def run(
    main: Callable[[Sequence[str]], int | None], argv: Sequence[str] | None = None, program: str | None = None
) -> NoReturn:
    """Runs a command and ends the program with its exit code.

    Mistakes a user can mend become one line on stderr and exit code 2, with the trace before it where `--debug` is
    among the arguments. Anything else is a defect of ours and keeps its trace.

    Args:
        main: takes the list of arguments, returns an exit code (None counts as 0).
        argv: the arguments; those of the process by default.
        program: how a user called it, where that is not as it calls itself.
    """
    if program is not None:
        _program.set(program)
    argv = sys.argv[1:] if argv is None else list(argv)
    debug = "--debug" in argv
    if not debug:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what matters to a user arrives as a Python error
    with _lasting_output():
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


class _Lasting:
    """A stream that outlives its end: where it is closed or full, what is written is lost and the work goes on."""

    def __init__(self, stream, descriptor):
        self._stream, self._descriptor = stream, descriptor

    def write(self, text):
        try:
            return self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding
            return self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self):
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def _lose(self, error):
        # Under the stream, whose buffer still holds what cannot be written, and would be told of at the end.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._descriptor)
        os.close(null)
        if self._descriptor == 1 and error.errno != errno.EPIPE:  # whoever closed a pipe wanted no more
            warn(f"standard output cannot be written ({reason(error)}): the work goes on without it")


@contextlib.contextmanager
def _lasting_output():
    """Context in which standard output and error may be closed, or become so."""
    streams = sys.stdout, sys.stderr
    for descriptor in (0, 1, 2):  # lest a file that is opened later be taken for one of them
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdout = _Lasting(sys.stdout or open(os.devnull, "w"), 1)
    sys.stderr = _Lasting(sys.stderr or open(os.devnull, "w"), 2)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = streams


def import_tensorflow():
    """The module `tensorflow`, imported without the lines about devices it writes before its log level takes effect.

    They are held back, and shown after all where the import fails or `TF_CPP_MIN_LOG_LEVEL` is below 3.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    with _kept():
        quiet = os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "3"
        return _import_quietly() if quiet else importlib.import_module("tensorflow")


@contextlib.contextmanager
def _kept():
    """Context whose objects stay as long as the process: the garbage collector never looks through them.

    There are a million of TensorFlow's, and it would look again and again, and once more at the process's end.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        atexit.register(gc.freeze)
        if enabled:
            gc.enable()


def _import_quietly():
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


class Progress:
    """Progress on stderr: a line that rewrites itself on a screen, a line every tenth elsewhere."""

    def __init__(self):
        self._start, self._tenth, self._screen = None, -1, sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        self._start = self._start or (now, done)
        passed, finished = now - self._start[0], done - self._start[1]
        text = f"{done} of {total} images"
        if finished and passed > 0:
            text += f", {finished / passed:.1f} a second"
            if done < total:
                text += f", {timedelta(seconds=round((total - done) * passed / finished))} left"
        if self._screen:
            print(f"\r{text:<70}", end="", file=sys.stderr, flush=True)
        elif done * 10 // max(total, 1) != self._tenth:
            self._tenth = done * 10 // max(total, 1)
            print(text, file=sys.stderr, flush=True)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._screen and self._start:
            print(file=sys.stderr)


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
