"""Waves as a person types them, and who is chosen by a limit: the same on every computer."""

import pytest

from roosync_protocol.rollout.waves import cut, limit, size_of

TEN = [f"m{number}" for number in range(10)]
CUTS = {  # canary, waves -> how many machines each wave has
    "nothing said: one wave": (0, [], [10]),
    "a canary, then the rest": (1, [], [1, 9]),
    "counts, the last one repeats": (0, [1, 3], [1, 3, 3, 3]),
    "the last wave has what is left": (0, ["4"], [4, 4, 2]),
    "shares are of all machines": (0, ["25%"], [3, 3, 3, 1]),
    "canary, counts and shares": (1, ["2", "50%"], [1, 2, 5, 2]),
    "sizes that are not needed": (0, [5, 5, 5, 5], [5, 5]),
    "more than are left": (2, [100], [2, 8]),
    "all": (0, ["100%"], [10]),
    "a small share is one machine": (0, ["0.001%", "100%"], [1, 9]),
    "a share rounds up, exactly": (0, ["33.3%"], [4, 4, 2]),
    "the canary is everybody": (10, ["20%"], [10]),
    "white space": (0, [" 50% "], [5, 5]),
}


@pytest.mark.parametrize(("canary", "waves", "sizes"), CUTS.values(), ids=CUTS)
def test_waves(canary, waves, sizes):
    made = cut(TEN, canary=canary, waves=waves)
    assert [len(wave) for wave in made] == sizes
    assert [name for wave in made for name in wave] == TEN, "everybody once, in order"


def test_who_is_named_as_canary_goes_first_alone_and_the_others_keep_their_order():
    assert cut(TEN, canary=["m7", "m2"], waves=[4]) == (
        ("m7", "m2"),
        ("m0", "m1", "m3", "m4"),
        ("m5", "m6", "m8", "m9"),
    )


REFUSED = {
    "a wave of zero": (0, [0], "nobody"),
    "zero per cent": (0, ["0%"], "nobody"),
    "zero in the middle": (0, [5, "0", 5], "nobody"),
    "more than all": (0, ["100.1%"], "at most 100%"),
    "negative": (0, [-1], "no number of machines"),
    "words": (0, ["many"], "no number of machines"),
    "empty": (0, [""], "no number of machines"),
    "half a machine": (0, ["1.5"], "no number of machines"),
    "an exponent": (0, ["1e9"], "no number of machines"),
    "another script's digits": (0, ["\u0665"], "no number of machines"),
    "a truth": (0, [True], "no number of machines"),
    "a list": (0, ["5,10"], "no number of machines"),
    "a canary larger than the fleet": (11, [], "larger than the 10"),
    "a canary below zero": (-1, [], "no canary"),
    "a canary that takes no part": (["m3", "m77"], [], "'m77' takes no part, so it is no canary; m0, m1, "),
    "a canary named twice": (["m3", "m3"], [], "'m3' is named twice"),
}


@pytest.mark.parametrize(("canary", "waves", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_wave_is_refused(canary, waves, why):
    with pytest.raises(ValueError, match=why):
        cut(TEN, canary=canary, waves=waves)


def test_nobody_and_somebody_twice():
    with pytest.raises(ValueError, match="no machine"):
        cut([])
    with pytest.raises(ValueError, match="'b' is named twice"):
        cut(["a", "b", "b"])


@pytest.mark.parametrize(("size", "total", "many"), [("10%", 1000, 100), ("10%", 1, 1), ("7%", 100, 7), (3, 2, 3)])
def test_a_size_rounds_up_and_is_exact(size, total, many):
    assert size_of(size, total) == many


def test_a_limit_is_the_same_everywhere_and_another_for_another_seed():
    assert limit(TEN, "30%", 7) == ["m0", "m3", "m6"]  # written down: it may not change with the version of Python
    assert limit(reversed(TEN), "30%", 7) == ["m6", "m3", "m0"], "the same ones, in the order given"
    assert len({tuple(limit(TEN, 3, seed)) for seed in range(20)}) > 10
    assert limit(TEN, 99, 1) == TEN
    assert set(limit(TEN, 2, 7)) < set(limit(TEN, 5, 7))
    with pytest.raises(ValueError, match="nobody"):
        limit(TEN, "0", 7)
    assert limit([], 5, 7) == []
