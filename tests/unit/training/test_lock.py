"""One training at a time in a run folder."""

import os
import subprocess
import sys

import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.training.lock import fcntl, locked

pytestmark = pytest.mark.skipif(fcntl is None, reason="this system has no such locks")


def test_the_second_hears_who_the_first_is(tmp_path):
    with locked(tmp_path / "run"):
        with pytest.raises(InputError, match=rf"is being trained in by process {os.getpid()} of .* since 20\d\d-"):
            with locked(tmp_path / "run"):
                pass
    with locked(tmp_path / "run"):
        assert (tmp_path / "run" / ".lock").is_file()
    assert not list((tmp_path / "run").iterdir())


@pytest.mark.slow
def test_a_killed_holder_holds_no_more(tmp_path):
    program = "import os, sys; from tf_inpaint.training.lock import locked; "
    program += "lock = locked(sys.argv[1]); lock.__enter__(); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)]).returncode == -9
    assert (tmp_path / ".lock").is_file()
    with locked(tmp_path):
        pass
