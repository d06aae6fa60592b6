"""Which share of a list each machine takes."""

import pytest

from tf_inpaint.errors import InputError
from tf_inpaint.io.shards import Shard


def test_shards_share_a_list_without_overlap():
    items = [f"{i}.png" for i in range(7)]
    parts = [Shard.parse(f"{i}/3").of(items) for i in (1, 2, 3)]
    assert [len(part) for part in parts] == [3, 2, 2] and parts[1] == [items[1], items[4]]
    assert sorted(item for part in parts for item in part) == items
    assert Shard.parse(None).of(items) == items == Shard.parse("1/1").of(items) and Shard.parse("9/9").of(items) == []


def test_files_of_a_shard_are_told_from_the_others():
    assert [Shard.parse(text).suffix for text in (None, "1/1", "2/8", "02/8")] == ["", "", "-2-of-8", "-2-of-8"]
    assert str(Shard.parse("2/8")) == "2/8" and Shard.parse("1/1").covers_all and not Shard.parse("1/2").covers_all


@pytest.mark.parametrize("part", ["0/4", "5/4", "1", "a/b", "-1/2", "1/0", "1/2/3", ""])
def test_a_shard_that_is_none_is_a_sentence(part):
    with pytest.raises(InputError, match=f"^--shard must be i/n with i from 1 to n, such as 2/8, not {part}$"):
        Shard.parse(part)
