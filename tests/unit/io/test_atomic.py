"""What killed processes leave unfinished, and who deletes it."""

import os
import time

import pytest

from tf_inpaint.io.atomic import remove_unfinished, replace


@pytest.mark.parametrize("rested, left", [(0, []), (3600, [".fresh.png.0123456789ab.part"])])
def test_remains_are_deleted_once_nobody_can_be_writing_them(tmp_path, rested, left):
    mine = {".part", ".x.part", "x.png.0123456789ab.part", ".x.png.0123456789AB.part"}  # of other programs
    for name in mine | {".old.png.0123456789ab.part", ".fresh.png.0123456789ab.part"}:
        (tmp_path / name).write_bytes(b"half")
    os.utime(tmp_path / ".old.png.0123456789ab.part", (time.time() - 4000,) * 2)
    replace(tmp_path / "x.png", b"whole")
    remove_unfinished(tmp_path, rested)
    assert {path.name for path in tmp_path.iterdir()} == mine | {"x.png", *left}
    remove_unfinished(tmp_path / "absent")
