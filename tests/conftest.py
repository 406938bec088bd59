"""What tests take from `benchmarks/`, and real files; and other people's code, which judges what we write.

The real files are where ROOSYNC_TEST_DATA says, or beside the checkout at ../shared/data. Tests on them are skipped by
name when that folder is not there; ROOSYNC_REQUIRE_DATA=1 (set by .ci/run) turns that into a failure.

Other people's code is npm packages, asked through one process of Node (benchmarks/peers.py). `npm install` in a copy of
tests/clients/package.json puts them where ROOSYNC_TEST_CLIENTS says; .ci/run does that and insists
(ROOSYNC_REQUIRE_CLIENTS=1). Without it these tests are skipped by name: the README's two commands need nothing but
Python.
"""

import importlib
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("behaviour", deadline=None)  # how long something takes is told by benchmarks, and by no test
settings.load_profile("behaviour")
for name in ("COLUMNS", "LINES"):  # the runner's processes have them; what is printed into a pipe has no width
    os.environ.pop(name, None)
os.environ["LANGUAGE"] = "en"  # what is said is compared with English, whatever the runner's person speaks
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
DATA = Path(os.environ.get("ROOSYNC_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")) / "real"


@pytest.fixture(scope="session")
def real():
    """The folder of real configuration files."""
    if not DATA.is_dir():
        if os.environ.get("ROOSYNC_REQUIRE_DATA"):
            pytest.fail(f"the real configuration files are required and not at {DATA}")
        pytest.skip("no folder of real configuration files")
    return DATA


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
