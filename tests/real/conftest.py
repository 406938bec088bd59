"""Tests on real configuration files run when their folder is there, and are skipped by name when not.

The folder is named by ROOSYNC_TEST_DATA, or lies beside the checkout at ../shared/data.
ROOSYNC_REQUIRE_DATA=1 (set by .ci/run) turns a missing folder into a failure.
"""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("ROOSYNC_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "real"


@pytest.fixture(scope="session")
def real() -> Path:
    if not DATA.is_dir():
        if os.environ.get("ROOSYNC_REQUIRE_DATA"):
            pytest.fail(f"the real configuration files are required and not at {DATA}")
        pytest.skip("no folder of real configuration files")
    return DATA
