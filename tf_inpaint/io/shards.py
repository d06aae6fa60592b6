"""A machine's part of a list, where several machines are given the same work."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tf_inpaint.errors import InputError


@dataclass(frozen=True)
class Shard:
    """Every `count`-th item from the `number`-th on.

    Attributes:
        number: 1 .. count.
        count: of the machines.
    """

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str | None) -> Shard:
        """The shard that "i/n" names; None names everything.

        Raises:
            InputError: if it is not of that form, with i from 1 to n.
        """
        if text is None:
            return EVERYTHING
        match = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
        number, count = map(int, match.groups()) if match else (0, 0)
        if not 1 <= number <= count:
            raise InputError(f"--shard must be i/n with i from 1 to n, such as 2/8, not {text}")
        return cls(number, count)

    @property
    def covers_all(self) -> bool:
        return self.count == 1

    @property
    def suffix(self) -> str:
        """What tells the names of its files from those of the others: "-2-of-8", and nothing for everything."""
        return "" if self.covers_all else f"-{self.number}-of-{self.count}"

    def __str__(self):
        return f"{self.number}/{self.count}"

    def of(self, items):
        """Those of a sequence that are in the shard."""
        return items[self.number - 1 :: self.count]


EVERYTHING = Shard()
