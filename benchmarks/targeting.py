"""How long does it take to read an expression and to choose among very many machines by it?

    python benchmarks/targeting.py [--machines 10000] [--runs 15]

In this process, without a broker: machines as a view of the fleet gives them, with labels, facts and a list of what
each has. Beside it what no choosing can be faster than: one look at the name of each machine.
"""

import argparse
import time
from collections.abc import Callable

from figures import against, median, tell

from roosync_protocol.targeting import Candidate, choose, chosen_because, parse

BAR = 50.0  # milliseconds
EXPRESSIONS = {
    "names": "lab-1 or lab-5 or lab-77*",
    "label": "role=dev",
    "compound": "(role=dev or site=s3) and os=linux and not (version<0.2 or has:docker) and state!=conflict",
    "versions": "version>=0.2 and version<1.0-rc.1",
    "has_glob": "has:*github*",
}


def fleet(count: int) -> list[Candidate]:
    return [
        Candidate(
            name=f"lab-{i}",
            labels={"role": "dev" if i % 3 else "prod", "site": f"s{i % 7}"},
            facts={"os": ("linux", "macos", "windows")[i % 3], "version": f"0.{i % 5}.{i % 11}", "state": "synced"},
            has=frozenset([f"claude.mcp/server-{i % 50 + n}" for n in range(20)] + ["git", "docker"][: i % 3]),
        )
        for i in range(count)
    ]


def milliseconds(work: Callable[[], object], runs: int) -> float:
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return float(median(taken))


def measure(name: str, text: str, machines: list[Candidate], runs: int) -> None:
    expression = parse(text)
    tell(f"targeting_parse_{name}_ms", milliseconds(lambda: parse(text), runs))
    against(f"targeting_choose_{name}_ms", milliseconds(lambda: choose(expression, machines), runs), BAR)
    tell(f"targeting_because_{name}_ms", milliseconds(lambda: chosen_because(expression, machines), runs))
    tell(f"targeting_chosen_{name}", len(choose(expression, machines)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=15)
    given = parser.parse_args()
    machines = fleet(given.machines)
    everybody = " or ".join(one.name for one in machines)
    tell("targeting_machines", given.machines)
    for name, text in {**EXPRESSIONS, "every_name": everybody}.items():
        measure(name, text, machines, given.runs)
    tell("targeting_floor_ms", milliseconds(lambda: [one.name for one in machines if one.name == "lab-1"], given.runs))


if __name__ == "__main__":
    main()
