"""Some hundred seeds of the simulation, that one replays exactly, and that planted bugs are found.

`python benchmarks/simulate.py --seeds 10000` runs more of them; what a failing one prints replays it.
"""

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SEEDS = int(os.environ.get("ROOSYNC_TEST_SEEDS", "90"))
SHORT = 20.0  # seconds of trouble at most, of the 180 that the command has: many short ones find more here
FOUND = {  # planted bug -> the first seed that is tried, and what the oracle says
    "no_fencing": (0, "did not hold the lease"),
    "no_claim": (0, "without the claim"),
    "no_approval": (0, "without a valid approval"),
    "last_message": (0, ""),
    "forgets_attempts": (0, "one approval was used for two writes"),
    "any_round": (40, "passed a checkpoint"),
    "older_law": (0, "older law"),
    "goes_on_alone": (0, "passed a checkpoint"),
    "last_one_wins": (45, "the law changed otherwise"),
    "no_journal": (38, "executed again"),
    "any_signer": (55, "passed a checkpoint"),
    "no_gate": (0, "before the wave of its machine"),
    "no_halt": (0, "past a halt"),
    "ends_unseen": (0, "did not say"),
}
ENOUGH = 150  # seeds within which each is found, from there on


@pytest.fixture(scope="module")
def simulate():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import simulate

        yield simulate
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


@pytest.mark.parametrize("first", range(0, SEEDS, 15))
def test_nothing_that_must_hold_is_broken(simulate, first):
    for seed in range(first, first + 15):
        world = simulate.one(seed, longest=SHORT)
        assert not world.oracle.violations, f"python benchmarks/simulate.py --seed {seed} --longest {SHORT} --trace"


@pytest.mark.parametrize("bug", FOUND)
def test_a_planted_bug_is_found(simulate, bug):
    first, said = FOUND[bug]
    found = (v for seed in range(first, first + ENOUGH) for v in simulate.one(seed, bug).oracle.violations)
    texts = [text for _, text in islice(found, 1)]
    assert texts, f"{bug} was not found within {ENOUGH} seeds"
    assert said in texts[0]


def test_a_seed_replays_exactly_also_in_another_process():
    """Whatever the order of sets is there."""
    told = set()
    for chance in ("1", "2"):
        done = subprocess.run(
            [sys.executable, str(ROOT / "benchmarks" / "simulate.py"), "--seed", "7"],
            env={**os.environ, "PYTHONHASHSEED": chance},
            capture_output=True,
            text=True,
            check=True,
        )
        told.add(done.stdout)
    assert len(told) == 1
    assert "fingerprint: " in told.pop()
