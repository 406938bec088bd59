"""Other people's code judges what we write: npm packages, asked through one process of Node (benchmarks/peers.py).

`npm install` in a copy of tests/clients/package.json puts them where ROOSYNC_TEST_CLIENTS says; .ci/run does that
and insists (ROOSYNC_REQUIRE_CLIENTS=1). Without it these tests are skipped by name: the README's two commands need
nothing but Python.
"""

import importlib
import os
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="session")
def peers():
    """The modules that ask them: `documents_peers`, and through it the documents and edits of the fuzzing."""
    before = list(sys.path)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("documents_peers")
    finally:
        sys.path[:] = before


@pytest.fixture(scope="session")
def clients(peers):
    try:
        return peers.Clients()
    except ValueError as error:
        if os.environ.get("ROOSYNC_REQUIRE_CLIENTS"):
            pytest.fail(f"other clients are required: {error}")
        pytest.skip(str(error))
