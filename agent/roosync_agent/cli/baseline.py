"""`roosync baseline`: propose, show, choose, validate, publish, versions, restore, export."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from roosync_agent.characters import harmless, shell_word
from roosync_agent.cli.card_facts_text import lacking_lines, marked_lines
from roosync_agent.cli.previews import dry_run_option, previewed
from roosync_agent.cli.questions import question_lines, settled_lines
from roosync_agent.cli.running import ask_machine, json_option, show, signed
from roosync_agent.cli.spoken import Group
from roosync_agent.cli.text import next_line, table
from roosync_agent.columns import hanging, want_colour, width
from roosync_agent.wording import heard, tr, trn

if TYPE_CHECKING:
    from roosync_agent.session import Session

PENDING = 3
_STATUS = "roosync status"
commit_option = click.option(
    "--commit",
    "repository",
    metavar="REPO",
    type=click.Path(path_type=Path),
    help="Write baseline.json and configs/VERSION into this git repository, and commit them there. Nothing is pushed.",
)


@click.group(cls=Group)
def baseline() -> None:
    """The golden baseline: what all machines agree on, and what is special to each."""


@baseline.command("propose")
@dry_run_option
@json_option
def propose(dry_run: bool, as_json: bool) -> None:
    """Consolidate the latest complete packages into a proposal."""
    if dry_run:
        previewed("baseline_propose", {}, as_json)
    _show(ask_machine("baseline_propose"), as_json)


@baseline.command("show")
@click.argument("id_", metavar="[PROPOSAL|VERSION]", required=False)
@json_option
def show_(id_: str | None, as_json: bool) -> None:
    """A proposal, or a published version; without a name, what waits, else what is in force."""
    _show(ask_machine("baseline_show", id_=id_, ask=True), as_json)


@baseline.command("choose")
@click.argument("field", required=False)
@click.option("--take", metavar="MACHINE", help="The value of this machine becomes common.")
@click.option("--union", is_flag=True, help="What each has, put together; where that can not be, as suggested.")
@click.option("--special", is_flag=True, help="Each machine keeps its own.")
@click.option("--omit", is_flag=True, help="Leave it out of the baseline.")
@click.option("--suggested", is_flag=True, help="As suggested; without a FIELD every open question.")
@dry_run_option
@json_option
def choose(
    field: str | None, take: str | None, union: bool, special: bool, omit: bool, suggested: bool, dry_run: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Answer an open question of the proposal about FIELD; without a FIELD, all that are open, as suggested."""
    import msgspec

    from roosync_protocol.messages import Choice

    given = sum((bool(take), union, special, omit))
    answers: dict[str, Choice] = {}
    if suggested and not given:
        shown = ask_machine("baseline_show")
        open_ = {one["key"]: Choice(**one["suggestion"]) for one in shown["arbitrations"]}
        answers = {key: choice for key, choice in open_.items() if field in (None, key)}
        if not answers and field:
            raise click.UsageError(
                tr(
                    "no question about {field} is open; open are: {known} (`roosync baseline show`)",
                    field=repr(field),
                    known=", ".join(list(open_)[:5]) or tr("none"),
                )
            )
        if not answers:
            show(shown, as_json, lambda found: f"{tr('No question is open.')}\n\n{_next(found)}")
            return
    elif field and given == 1 and not suggested:
        answers[field] = Choice(
            take="machine" if take else "union" if union else "special" if special else "omit", machine=take
        )
    else:
        raise click.UsageError(
            tr("name a FIELD and one of --take MACHINE, --union, --special, --omit, --suggested; or --suggested alone")
        )

    asked = {"answers": {key: msgspec.to_builtins(choice) for key, choice in answers.items()}}
    if dry_run:
        previewed("baseline_choose", asked, as_json)

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.baseline import promoting

        done = await promoting.arbitrate(session, answers)
        return done, await promoting.in_the_way(session, done)

    done, stands = signed(work, "baseline_choose", asked)
    told = trn("{count} question left.", "{count} questions left.", done.arbitrations)
    following = "roosync baseline show" if done.arbitrations else "roosync baseline validate"
    if stands and not done.arbitrations:
        told += "\n\n" + "\n".join([tr("In the way:"), *(part for one in stands for part in _within(heard(one.text)))])
        following = next((_choice(one.key, one.answer) for one in stands if one.answer), following)
    _told(done, as_json, told, following)


@baseline.command("validate")
@click.argument("id_", metavar="[PROPOSAL]", required=False)
@dry_run_option
@json_option
def validate(id_: str | None, dry_run: bool, as_json: bool) -> None:
    """Sign that the proposal is right: it is made again from the packages, and checked for secrets and paths."""
    given = {"id_": id_}
    if dry_run:
        previewed("baseline_validate", given, as_json)

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.baseline import promoting

        return await promoting.validate_proposal(session, id_)

    done = signed(work, "baseline_validate", given)
    _told(done, as_json, tr("No secret and no path of one machine in the commons."), "roosync baseline publish")


@baseline.command("publish")
@click.argument("id_", metavar="[PROPOSAL]", required=False)
@click.option("--version", help="Version (default: the next one).")
@click.option("--note", default="", help="A line about it.")
@commit_option
@dry_run_option
@json_option
def publish(
    id_: str | None, version: str | None, note: str, repository: Path | None, dry_run: bool, as_json: bool
) -> None:
    """Sign the proposal into law: every machine compares itself with it at once."""
    where = repository.absolute() if repository is not None else None
    given = {"id_": id_, "version": version, "note": note}
    if where is not None:
        from roosync_agent.operations.baseline.committing import require_ready

        require_ready(where)  # before anything is signed
    if dry_run:
        previewed("baseline_publish", given, as_json)

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.baseline import committing, promoting

        law = await promoting.publish(session, id_, version, note)
        return law, await committing.commit_law(session, law, where) if where else None

    law, committed = signed(work, "baseline_publish", given)
    _law(law, as_json, committed)


@baseline.command("versions")
@json_option
def versions(as_json: bool) -> None:
    """Every version that was published."""
    found = ask_machine("baseline_versions")
    rows = [
        (v["version"], v["revision"], v["published"][:19], v["by"], tr("in force") if v["in_force"] else "", v["note"])
        for v in found
    ]
    show(
        found,
        as_json,
        lambda _: (
            table(rows, (tr("VERSION"), tr("REVISION"), tr("PUBLISHED (UTC)"), tr("BY"), "", tr("NOTE")))
            if rows
            else tr("None yet.")
        ),
    )


@baseline.command("restore")
@click.argument("version", required=False)
@click.option("--file", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="An exported file.")
@dry_run_option
@json_option
def restore(version: str | None, path: Path | None, dry_run: bool, as_json: bool) -> None:
    """Publish an earlier VERSION again, as a new revision."""
    if (version is None) == (path is None):
        raise click.UsageError(tr("name a VERSION, or a --file"))
    data = path.read_bytes() if path is not None else b""
    given = {"version": version} if path is None else {"file": data.decode("utf-8", "replace")}
    if dry_run:
        previewed("baseline_restore", given, as_json)

    async def work(session: "Session") -> Any:
        from roosync_agent.operations.baseline import promoting
        from roosync_protocol.baseline_file import read

        if path is not None:
            return await promoting.restore_file(session, read(data))
        return await promoting.restore(session, version or "")

    _law(signed(work, "baseline_restore", given), as_json)


@baseline.command("export")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--version", help="An earlier version.")
@commit_option
@json_option
def export(path: Path | None, version: str | None, repository: Path | None, as_json: bool) -> None:
    """Write the whole baseline into one file, to read, commit and restore from."""
    if repository is None:
        answer = ask_machine("baseline_export", path=str((path or Path("baseline.json")).absolute()), version=version)
        back = next_line(f"roosync baseline restore --file {shell_word(answer['path'])}", tr("makes it law again"))
        show(answer, as_json, lambda a: f"{tr('{path}: baseline {version}, {bytes} bytes.', **a)}\n\n{back}")
        return
    if path is not None:
        raise click.UsageError(tr("name a PATH, or --commit a repository: there it is baseline.json"))
    _commit(repository.absolute(), version, as_json)


def _commit(repository: Path, version: str | None, as_json: bool) -> None:
    import tempfile

    import msgspec

    from roosync_agent.operations.baseline.committing import commit_baseline, require_ready
    from roosync_protocol.baseline_file import read

    require_ready(repository)
    with tempfile.TemporaryDirectory(prefix="roosync-") as folder:  # the agent writes it, git runs as the person
        answer = ask_machine("baseline_export", path=str(Path(folder) / "baseline.json"), version=version)
        file = read((Path(folder) / "baseline.json").read_bytes())
    done = commit_baseline(repository, file, answer["signer"], answer["note"])
    show(msgspec.to_builtins(done), as_json, _committed_text)


def _committed_text(done: dict[str, Any]) -> str:
    where, commit = harmless(done["repository"]), done["commit"][:12]
    if not done["made"]:
        return tr("{repository} has it already, in {commit}: nothing to commit.", repository=where, commit=commit)
    return tr(
        "{repository}: committed as {commit}, {message}. Nothing was pushed.",
        repository=where,
        commit=commit,
        message=repr(harmless(done["message"].splitlines()[0])),
    )


def _show(answer: dict[str, Any], as_json: bool) -> None:
    show(answer, as_json, _text)
    if answer["kind"] == "proposal" and answer["status"] in ("open", "arbitrated", "validated"):
        raise click.exceptions.Exit(PENDING)


def _text(answer: dict[str, Any]) -> str:
    if answer["kind"] == "proposal":
        told = answer | {"machines": ", ".join(answer["machines"])}
        lines = [tr("Proposal {id} ({status}), from {machines}", **told)]
    else:
        told = answer | {"published": answer["published"][:19]}
        lines = [tr("Baseline {version}, signed by {signed_by} at {published} UTC", **told)]
    lines += _commons(answer)
    for machine, overlay in answer["overlays"].items():
        own = ", ".join(map(harmless, overlay["entities"])) or tr("nothing")
        lines += ["", tr("Special to {machine}: {names}", machine=machine, names=own)]
        without = ", ".join(map(harmless, overlay["excluded"]))
        lines += [tr("  goes without: {names}", names=without)] if without else []
    if answer["comments"]:
        lines += ["", tr("Comments that come along where it is new:")]
        lines += [f"  {harmless(key)}: {harmless(' / '.join(told))}" for key, told in answer["comments"].items()]
    if answer["removed"]:
        lines += ["", tr("Taken away: {names}", names=", ".join(map(harmless, answer["removed"])))]
    lines += settled_lines(answer)
    for question in answer["arbitrations"]:
        lines += ["", *question_lines(question)]
    for title, found in (
        (tr("Left out:"), [f"{k}: {heard(v)}" for k, v in answer["excluded"].items()]),
        (tr("In the way:"), map(heard, answer["problems"])),
    ):
        below = [part for line in found for part in _within(harmless(line))]
        lines += ["", title, *below] if below else []
    lines += _mending(answer.get("mends") or {})
    return "\n".join([*lines, "", _next(answer)])


def _within(line: str) -> list[str]:
    return [f"  {part}" for part in hanging(line, max(width() - 2, 0), 2)]


def _mending(mends: dict[str, str]) -> list[str]:
    """For each that is in the way the command that ends it."""
    if not mends:
        return []
    told = tr("--special keeps each machine's own, --omit leaves it out of the baseline:")
    return ["", *hanging(told, width(), 2), *(f"  {_choice(key, take)}" for key, take in mends.items())]


def _choice(key: str, take: str) -> str:
    return f"roosync baseline choose {shell_word(key)} --{take}"


def _commons(answer: dict[str, Any]) -> list[str]:
    """What is common; of what is not agreed yet its risk, who lacks something for it, and what hides in it."""
    effects = answer.get("effects") or {}
    rows = [(key, effects[key]["risk"] if key in effects else "-", _lacks(answer, key)) for key in answer["commons"]]
    if not rows:
        return []
    heads = [tr("FIELD"), tr("RISK"), tr("STILL MISSING ON")]
    if not effects:
        rows, heads = [(row[0], row[2]) for row in rows], [heads[0], heads[2]]  # type: ignore[misc]
    lines = ["", tr("Common to all: {count}", count=len(rows)), table(rows, heads, colour=want_colour())]
    for key, effect in effects.items():
        missing = effect["missing"]
        if missing["lacks"] or missing["unsure"] or missing["not_said"]:
            lines += [harmless(key), *lacking_lines(missing)]
        lines += marked_lines(effect["marks"])
    return lines


def _lacks(answer: dict[str, Any], key: str) -> str:
    return ", ".join(answer["pending"].get(key, [])) or "-"


def _next(answer: dict[str, Any]) -> str:
    if answer["kind"] == "baseline":
        return tr("Next: {command}", command="roosync compare")
    if answer["arbitrations"]:
        told = tr("Next: answer the questions above, or take every suggestion: roosync baseline choose --suggested")
        return "\n".join(hanging(told, width(), 2))
    if answer.get("mends") and answer["status"] == "arbitrated":
        return next_line(_choice(*next(iter(answer["mends"].items()))))
    commands = {"arbitrated": "roosync baseline validate", "validated": "roosync baseline publish"}
    return tr("Next: {command}", command=commands.get(answer["status"], _STATUS))


def _told(done: Any, as_json: bool, line: str, following: str) -> None:
    import msgspec

    show(
        msgspec.to_builtins(done, str_keys=True),
        as_json,
        lambda p: (
            f"{tr('Proposal {id} is {status}.', id=p['id'], status=p['status'])} {line}"
            f"\n\n{tr('Next: {command}', command=following)}"
        ),
    )


def _law(law: Any, as_json: bool, committed: Any = None) -> None:
    import msgspec

    told = msgspec.to_builtins(law, str_keys=True)
    done = msgspec.to_builtins(committed) if committed is not None else None
    lines = [tr("Baseline {version} (revision {revision}) is law.", **told)]
    lines += [_committed_text(done)] if done else []
    show(
        {**told, **({"committed": done} if done else {})},
        as_json,
        lambda _: "\n".join([*lines, "", tr("Next: {command}", command=_STATUS)]),
    )
