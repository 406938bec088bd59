"""The corpus of `benchmarks/secrets_recall.py`: every secret is hidden whole, nothing else is; and that it can fail."""

import importlib
import sys
from pathlib import Path

import pytest

from roosync_protocol.entity import Kind
from roosync_protocol.secrets import arguments as secret_arguments
from roosync_protocol.secrets import find_secrets, hide
from roosync_protocol.secrets import hiding as secret_hiding
from roosync_protocol.secrets import text as secret_text
from roosync_protocol.secrets import values as secret_values

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SEEDS = (1, 20)


@pytest.fixture(scope="module")
def bench():
    before = list(sys.path)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("secrets_recall")
    finally:
        sys.path[:] = before


@pytest.mark.parametrize("seed", SEEDS)
def test_every_secret_is_hidden_whole(bench, seed):
    cases = bench.secret_cases(seed)
    assert len(cases) == 500
    assert {case.entity.kind for case in cases} == set(Kind)
    assert [case.name for case in cases if not bench.hidden(case)] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_innocent_is_taken(bench, seed):
    cases = bench.innocent_cases(seed)
    assert len(cases) == 500
    assert {case.entity.kind for case in cases} == set(Kind)
    assert [case.name for case in cases if bench.taken(case)] == []
    assert [case.name for case in cases if find_secrets(hide(case.entity)[0].value)] == []  # nor kept back by the gate


def test_there_are_enough_shapes_and_places(bench):
    shapes = importlib.import_module("secrets_corpus_shapes").SHAPES
    places = importlib.import_module("secrets_corpus_places").PLACES
    assert len({shape.vendor.split(" ")[0] for shape in shapes}) >= 60
    assert {case.place for case in bench.secret_cases(1)} == {place.name for place in places}


def test_a_secret_that_is_left_in_part_is_a_miss(bench):
    case = bench.secret_cases(1)[0]
    assert bench.left(case, case.entity)
    public, _ = hide(case.entity)
    assert not bench.left(case, public)


# name: module, attribute, a faulty one in its place
PLANTED = {
    "no vendor is known": (secret_text, "vendor_spans", lambda text: []),
    "chance is not seen": (secret_values, "looks_random", lambda run, least=20: False),
    "nobody is told a secret": (secret_text, "told_spans", lambda text: []),
    "assignments are not read": (secret_text, "_assigned", lambda text, lower, prose: []),
    "no switch says secret": (secret_arguments, "says_secret", lambda name: False),
    "no name says secret": (secret_hiding, "says_secret", lambda name: False),
    "placeholders are taken": (secret_arguments, "is_placeholder", lambda text: False),
}


@pytest.mark.parametrize(("module", "attribute", "faulty"), PLANTED.values(), ids=PLANTED)
def test_a_planted_mistake_is_found(bench, monkeypatch, module, attribute, faulty):
    monkeypatch.setattr(module, attribute, faulty)
    cases = bench.secret_cases(1)
    wrong = sum(bool(bench.left(case, hide(case.entity)[0])) for case in cases)
    wrong += sum(map(bench.taken, bench.innocent_cases(1)))
    assert wrong > 0
