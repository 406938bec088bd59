"""What tests take from `benchmarks/`; and other people's code, which judges what we write.

That code is npm packages, asked through one process of Node (benchmarks/peers.py). `npm install` in a copy of
tests/clients/package.json puts them where ROOSYNC_TEST_CLIENTS says; .ci/run does that and insists
(ROOSYNC_REQUIRE_CLIENTS=1). Without it these tests are skipped by name: the README's two commands need nothing but
Python.
"""

import importlib
import os
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def _benchmark(name):
    """A module of the benchmarks, which import each other by name; `sys.path` is as before when it is there."""
    before = list(sys.path)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path[:] = before


@pytest.fixture(scope="session")
def fuzz():
    """The documents and edits of the fuzzing."""
    return _benchmark("fuzz_documents")


@pytest.fixture(scope="session")
def peers():
    """The modules that ask other people's code."""
    return _benchmark("documents_peers")


@pytest.fixture(scope="session")
def clients(peers):
    try:
        return peers.Clients()
    except ValueError as error:
        if os.environ.get("ROOSYNC_REQUIRE_CLIENTS"):
            pytest.fail(f"other clients are required: {error}")
        pytest.skip(str(error))
