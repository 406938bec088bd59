"""Commands about the policy: what applies by itself, and what waits for one person, or two."""

from typing import TYPE_CHECKING, Any, cast, get_args

import click

from roosync_agent.characters import harmless
from roosync_agent.cli.previews import dry_run_option, previewed
from roosync_agent.cli.running import ask_machine, json_option, show, signed
from roosync_agent.cli.spoken import Group
from roosync_agent.cli.text import next_line
from roosync_agent.wording import heard, mark, tr, trn
from roosync_agent.yes_no import asked, shown_to_person

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from roosync_agent.session import Session
    from roosync_protocol.messages.law import Answer
    from roosync_protocol.risk_names import RiskName

SAYS = {
    "automatic": mark("applies by itself"),
    "one": mark("waits for an operator"),
    "two": mark("waits for two operators"),
}


@click.group(cls=Group)
def policy() -> None:
    """What applies by itself, by risk class; signed by an operator, obeyed by every machine."""


@policy.command("show")
@json_option
def policy_show(as_json: bool) -> None:
    """The policy in force: answers, who signed it, pauses, public names."""
    show(ask_machine("policy_show"), as_json, _text)


@policy.command("set")
@click.argument("answers", nargs=-1, metavar="[RISK=automatic|one|two]...")
@click.option("--public-name", "add", multiple=True, help="A variable or header whose values are no secret.")
@click.option("--remove-public-name", "remove", multiple=True, help="Take such a name back.")
@click.option("--yes", is_flag=True, help="Do not ask before something gets easier than it is.")
@dry_run_option
@json_option
def policy_set(
    answers: tuple[str, ...], add: tuple[str, ...], remove: tuple[str, ...], yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Sign the policy anew, with these answers and names changed."""
    wanted = _answers(answers)
    if not (wanted or add or remove):
        raise click.UsageError(tr("nothing to change: name a class and its answer, such as medium=one"))
    given = {"answers": wanted, "add": sorted(add), "remove": sorted(remove)}
    if dry_run:
        previewed("policy_set", given, as_json)

    async def work(session: "Session") -> Any:
        import msgspec

        from roosync_agent.operations.membership import policy as operation

        operation.changed(session, wanted, add=frozenset(add), remove=frozenset(remove))
        before = operation.shown(session.fleet.law)
        easier = operation.loosened(before, wanted, frozenset(add))
        if easier and not yes:
            with shown_to_person():
                click.echo("\n".join(f"! {harmless(heard(line))}" for line in easier), err=True)
                click.echo("\n".join(_consequences(session, before.answers, wanted)), err=True)
                await asked(tr("Sign it for the whole fleet"), abort=True, err=True)
        done = await operation.change(session, wanted, add=frozenset(add), remove=frozenset(remove))
        return msgspec.to_builtins(done)

    show(signed(work, "policy_set", given), as_json, _text)


def _consequences(
    session: "Session", before: "Mapping[RiskName, Answer]", wanted: "Mapping[RiskName, Answer]"
) -> "Iterator[str]":
    """What waits now and would not wait any more, and the way back."""
    from roosync_agent.operations.decisions.seen import judged

    waiting = [judged(one)[0] for one in session.fleet.decisions() if one.status == "pending"]
    for risk, answer in wanted.items():
        if answer == "automatic" and (count := waiting.count(risk)):
            yield "! " + trn(
                "{count} decision of risk {risk} that waits now may then be applied without another question",
                "{count} decisions of risk {risk} that wait now may then be applied without another question",
                count, risk=risk,
            )  # fmt: skip
    back = " ".join(f"{risk}={before[risk]}" for risk in wanted)
    if back:
        yield tr("Undo: {command}", command=f"roosync policy set {back}")


def _answers(words: tuple[str, ...]) -> "dict[RiskName, Answer]":
    from roosync_protocol.messages.law import Answer
    from roosync_protocol.risk_names import RiskName

    found = {}
    for word in words:
        risk, _, answer = word.partition("=")
        if risk not in get_args(RiskName) or answer not in get_args(Answer):
            classes, said = ", ".join(get_args(RiskName)), ", ".join(get_args(Answer))
            fault = tr(
                "{word} is no RISK=ANSWER; classes are {classes}; answers are {answers}",
                word=repr(word), classes=classes, answers=said,
            )  # fmt: skip
            raise click.UsageError(fault)
        if risk in found:
            raise click.UsageError(tr("{risk} is named twice", risk=risk))
        found[cast("RiskName", risk)] = cast("Answer", answer)
    return found


def _text(shown: dict[str, Any]) -> str:
    lines = [tr("Policy of the fleet {fleet}", fleet=harmless(shown["fleet"]))]
    lines += [f"  {risk:10}{tr(SAYS[answer])}" for risk, answer in shown["answers"].items()]
    if shown["revision"]:
        at = f"{shown['signed_at']:.16}".replace("T", " ")
        signed = {"revision": shown["revision"], "operator": harmless(shown["signed_by"]), "time": at}
        lines.append(tr("Revision {revision}, signed by {operator} on {time} UTC.", **signed))
    else:
        lines.append(tr("Nobody signed one yet: this is the default."))
    lines.append(tr("Can approve: {operators}.", operators=harmless(", ".join(shown["operators"])) or tr("nobody")))
    paused = _paused(shown)
    lines += paused
    if shown["public_names"]:
        names = harmless(", ".join(shown["public_names"]))
        lines.append(tr("No secret, wherever they stand: {names}.", names=names))
    return "\n".join([*lines, "", next_line("roosync resume" if paused else "roosync decisions")])


def _paused(shown: dict[str, Any]) -> list[str]:
    if shown["paused"]:
        return [tr("! Paused on the whole fleet: nothing applies by itself.")]
    if shown["paused_machines"]:
        machines = harmless(", ".join(shown["paused_machines"]))
        return [tr("! Paused on {machines}: nothing applies by itself there.", machines=machines)]
    return [tr("! Paused on this machine, by itself.")] if shown["paused_here"] else []
