"""What fuzz tests share: how many cases, and the random numbers of each.

FUZZ_CASES=10000 tries that many of each kind (`make fuzz`); a case is the same wherever it is tried, so that its number
alone brings it back: FUZZ_FIRST=1234 FUZZ_CASES=1.
"""

import os
import random

import pytest

FIRST = int(os.environ.get("FUZZ_FIRST", "0"))


@pytest.fixture
def cases():
    """Gives (number, its `random.Random`) of each case, of `usual` where FUZZ_CASES does not say how many."""

    def cases(usual):
        for number in range(FIRST, FIRST + int(os.environ.get("FUZZ_CASES", usual))):
            yield number, random.Random(number)

    return cases
