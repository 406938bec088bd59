"""An apply of seven files, killed with SIGKILL before each single touch of the disk: how often all old, all new, mixed?

    python benchmarks/kill_apply.py

Runs what tests/agent/test_journal.py runs, which needs the packages of `.[dev]` and POSIX, and counts: an apply that is
killed, a change that fails its check and is killed while it is put back, and a recovery that is killed itself. After
each kill an agent recovers, and every byte of the home is compared. The exit code is 1 when anything was mixed.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "agent"))

import conftest  # type: ignore[import-not-found]
import test_journal as killing  # type: ignore[import-not-found]
from figures import tell


def judge(home: Any, old: Any, new: Any, counts: Counter[str]) -> None:
    found = killing.everything(home)
    counts["all_old" if found == old else "all_new" if found == new else "mixed"] += 1
    counts["left_over"] += bool(killing.left_in_state(home))


def at_each_touch(home: Any, old: Any, new: Any, action: Any) -> Counter[str]:
    counts: Counter[str] = Counter()
    for at in range(1, 1_000):
        killing.reset(home)
        if not killing.killed(home, at, action):
            break
        counts["kills"] += 1
        home.recover()
        judge(home, old, new, counts)
    return counts


def while_recovering(home: Any, old: Any, new: Any, after: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for again in range(1, 1_000):
        killing.reset(home)
        killing.killed(home, after, killing.apply)
        if not killing.killed(home, again, lambda home: home.recover()):
            break
        counts["kills"] += 2
        home.recover()
        judge(home, old, new, counts)
    return counts


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="roosync-kill-") as folder:
        home = conftest.Home(Path(folder) / "ana", Path(folder) / "state")
        (home.base / conftest.ROO).mkdir(parents=True)
        killing.prepare(home)
        old = killing.everything(home)
        killing.apply(home)
        new = killing.everything(home)
        runs = {"apply": at_each_touch(home, old, new, killing.apply)}
        touches = runs["apply"]["kills"]
        runs["restore"] = at_each_touch(home, old, new, killing.fail)
        for share in (50, 75, 90):
            runs[f"recovery_after_{share}_percent"] = while_recovering(home, old, new, touches * share // 100)
    for name, counts in runs.items():
        for figure in ("kills", "all_old", "all_new", "mixed", "left_over"):
            tell(f"{name}_{figure}", counts[figure])
    total = sum(runs.values(), Counter())
    tell("kills", total["kills"])
    tell("mixed", total["mixed"])
    return 1 if total["mixed"] or total["left_over"] or not total["kills"] else 0


if __name__ == "__main__":
    sys.exit(main())
