"""How long do ten thousand decisions take, to list, to count, to show as cards? And one card, with its machine asked?

    python benchmarks/decisions.py [--decisions 10000] [--machines 20]

The verbs, sessions, signatures and texts are the real ones; the bus is in memory, so nothing here waits for a network.
The floor beside them is one look at each decision as the view of the fleet gives it.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from figures import against, tell

from roosync_agent.cli.card_text import card_text
from roosync_agent.cli.decisions_text import listed_text
from roosync_agent.operations import served
from roosync_agent.operations.coordination import lacking
from roosync_agent.operations.membership import lawmaking
from roosync_agent.running.machine import Machine
from roosync_agent.session import Session, new_operation
from roosync_agent.settings import Settings
from roosync_agent.state import State
from roosync_broker import topology
from roosync_broker.keys import KeyPair, verify
from roosync_broker.memory import MemoryBus
from roosync_protocol.diff import ABSENT, Divergence, Verdict
from roosync_protocol.entity import Kind
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.reconcile import Asked, decide
from roosync_protocol.subjects import Subjects

BARS = {"list": 0.5, "status": 0.1, "fifty_cards": 0.3}  # seconds, of what a person waits for


def decision(number: int, machine: str, now: datetime) -> Any:
    """One new server of three, and two changed settings."""
    server = number % 3 == 0
    key = f"roo.mcp/s{number}" if server else f"claude.settings/setting{number}"
    value: Any = number
    if server:
        secret = {"$secret": f"{key}/env/TOKEN"}
        value = {"command": "npx", "args": ["-y", f"package@{number}"], "env": {"TOKEN": secret}}
    divergence = Divergence(
        key=key,
        kind=Kind.MCP_SERVER if server else Kind.SETTING,
        verdict=Verdict.JOIN_ADD if server else Verdict.TAKE,
        local=ABSENT if server else -1,
        wanted=value,
    )
    asked = Asked(machine=machine, reference="baseline", reference_revision=1, now=now)
    return decide(divergence, asked, new_operation())


async def fleet(folder: Path, machines: int, decisions: int) -> tuple[Machine, Machine]:
    """The machine that is asked by a person, and another one that answers; every decision was said by its machine."""
    bus = MemoryBus()
    await topology.ensure(bus.link("keeper"), "home")
    names = [f"pc-{number}" for number in range(machines)]
    keys = {name: KeyPair.generate() for name in ("op-ann", *names)}
    law = Law(fleet="home", root=keys["op-ann"].public)

    def session(name: str) -> Session:
        return Session(bus.link(name), Subjects("home"), keys[name], name, Fleet(law, verify))

    operator = session("op-ann")
    await lawmaking.found(operator, names[0], keys[names[0]].public, None)
    for name in names[1:]:
        await lawmaking.admit(operator, name, keys[name].public)
    made = []
    for name in names:
        home, state = folder / name / "home", State(folder / name / "state")
        (home / ".claude").mkdir(parents=True)
        state.prepare()
        made.append(Machine(Settings(state=state.folder, home=home, machine=name, os="posix"), state, session(name)))
    for number in range(decisions):
        name = names[number % machines]
        await made[number % machines].session.say(decision(number, name, datetime.now(UTC)))
    for one in made[:2]:
        await one.session.refresh()
        await one.look()
    await lacking.serve(made[1])
    return made[0], made[1]


async def timed(work: Callable[[], Awaitable[Any]]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = await work()
    return time.perf_counter() - began, found


async def measure(machines: int, decisions: int) -> None:
    with TemporaryDirectory() as folder:
        machine, other = await fleet(Path(folder), machines, decisions)

        async def ask(verb: str, **args: Any) -> Any:
            answer = await served.answer(machine, verb, args)
            if "error" in answer:
                raise RuntimeError(answer["error"]["message"])
            return answer["result"]

        began = time.perf_counter()
        ids = {d.machine: d.id for d in machine.fleet.decisions() if d.kind is Kind.MCP_SERVER}
        tell("look_at_each_s", time.perf_counter() - began)
        tell("list_first_time_s", (await timed(lambda: ask("decisions", limit=40)))[0])
        took, listed = await timed(lambda: ask("decisions", limit=40))
        against("list_s", took, BARS["list"])
        tell("list_lines", len(listed_text(listed).split("\n")))
        took, everything = await timed(lambda: ask("decisions"))
        tell("list_everything_s", took)
        against("status_s", (await timed(lambda: ask("status")))[0], BARS["status"])
        named = [row["id"] for row in everything["decisions"]]
        took, cards = await timed(lambda: ask("decision_cards", ids=named, most=50, ask=False))
        against("fifty_cards_s", took, BARS["fifty_cards"])
        tell("fifty_cards_lines", sum(card_text(one["card"]).count("\n") for one in cards))
        took, cards = await timed(lambda: ask("decision_cards", ids=named, ask=False))
        tell("every_card_s", took)
        tell("every_card_changes", len(cards))
        took, card = await timed(lambda: ask("decision_show", id_=ids[other.name]))
        tell("one_card_with_its_machine_asked_s", took)
        if not card["lacks"] or card["not_said"]:
            raise RuntimeError(f"{other.name} was asked, and said nothing: {card['not_said']}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--decisions", type=int, default=10_000)
    options.add_argument("--machines", type=int, default=20)
    given = options.parse_args()
    tell("decisions", given.decisions)
    asyncio.run(measure(given.machines, given.decisions))


if __name__ == "__main__":
    main()
