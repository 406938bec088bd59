"""Two sequences laid over each other: always the shortest way, and never a long one to find it."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_protocol.documents.lines import aligned, overlaid

PIECES = st.lists(st.sampled_from("abc"), max_size=12)


def _common(old, new):
    """The length of the longest common subsequence, by the book."""
    row = [0] * (len(new) + 1)
    for one in old:
        last = row
        row = [0]
        for j, other in enumerate(new):
            row.append(last[j] + 1 if one == other else max(last[j + 1], row[j]))
    return row[-1]


@settings(max_examples=300, deadline=None)
@given(PIECES, PIECES)
def test_all_that_can_stay_stays(old, new):
    changes = aligned(old, new)
    equal = [change for change in changes if change[0] == "equal"]
    assert all(old[i1:i2] == new[j1:j2] for _, i1, i2, j1, j2 in equal)
    assert sum(i2 - i1 for _, i1, i2, _, _ in equal) == _common(old, new)
    assert [i for _, i1, i2, _, _ in changes for i in range(i1, i2)] == list(range(len(old)))
    assert [j for _, _, _, j1, j2 in changes for j in range(j1, j2)] == list(range(len(new)))
    assert overlaid(old, [one.upper() for one in old], new, str) == [
        new[j].upper() if tag == "equal" else new[j] for tag, _, _, j1, j2 in changes for j in range(j1, j2)
    ]


HARD = {
    "every second": (["a"] * 2000, ["a", "b"] * 1000),
    "nearly every second": (["a", "a", "b"] * 700, ["a", "b"] * 1000),
    "nothing alike": ([f"a{n}" for n in range(100_000)], [f"b{n}" for n in range(100_000)]),
    "one of many": (["a"] * 100_000, ["a"] * 50_000 + ["b"] + ["a"] * 50_000),
}


@pytest.mark.parametrize(("old", "new"), HARD.values(), ids=HARD)
def test_what_is_hard_takes_no_minutes(old, new):
    start = time.process_time()
    aligned(["x", *old, "y"], ["z", *new, "w"])
    assert time.process_time() - start < 5
