"""The approval card as text: what a person reads before they sign. The same change on many machines is one card.

What will execute is shown whole; nothing in it can move the cursor or hide, and nothing can look like a line of the
card: each line of a value has its mark, also where the terminal is too narrow for it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from roosync_agent.characters import harmless
from roosync_agent.cli.card_facts_text import agreed_lines, lacking_lines, marked_lines, origin_lines, unasked_lines
from roosync_agent.cli.card_lines import PLACE, moment, said, titled, within
from roosync_agent.cli.changes import Told, block, fitted, ordered, told
from roosync_agent.cli.text import TONES, reference_text
from roosync_agent.columns import hanging, paint, want_colour, width
from roosync_agent.wording import mark, tr, trn

OWN = {"drift", "local_deletion", "join_differs", "conflict", "delete_modify"}  # this machine has a say of its own
AGAIN = {"rolled_back", "rejected", "overwritten", "rollback_failed"}  # of these an operator opens another attempt
GONE = {  # another answer than the suggested one -> from where it is gone then; "": the suggested one
    "override_remote": mark("it is gone from every machine"),
    "keep_special": mark("it is gone from what this machine should have"),
    "": mark("it is gone from this machine"),
}
MEANS = {
    "override_remote": mark("this machine's value becomes the agreed one, FOR EVERY MACHINE OF THE FLEET"),
    "keep_special": mark("this machine's value stays, for it alone"),
}


def card_text(card: dict[str, Any], *, following: bool = True, full: bool = False, machines: Sequence[str] = ()) -> str:
    """The approval card.

    `following`: the commands that answer it come last; left out where the question is asked right below.
    `full`: a text that changed as the whole old and the whole new one, instead of the lines that differ.
    `machines`: all that are asked for exactly this, when the card stands for several decisions.
    """
    changed = told(_changes(card), card["kind"], full=full)
    lines = [*_heads(card, machines), *_about(card, machines), *marked_lines(card.get("marks", ()))]
    lines += [f"  {tr('Changes')}", *fitted(changed.lines, width(), 4)]
    if changed.left:
        left = trn("{count} line", "{count} lines", changed.left)
        way = f"roosync decision show {card['id']} --full"
        lines += hanging(
            f"    ({tr('{lines} that did not change left out; old and new in full: {way}', lines=left, way=way)})",
            width(),
            6,
        )
    lines += _afterwards(card, changed)
    lines += _proof(card, machines)
    return "\n".join([*lines, *(_following(card) if following else [])])


def _about(card: dict[str, Any], machines: Sequence[str]) -> Iterator[str]:
    """Who asks for what, and why; how dangerous it is."""
    yield from agreed_lines(card, several=len(machines) > 1)
    yield from origin_lines(card.get("origins", ()))
    yield from titled(tr("What"), f"{said(card['verdict'])}: {said(card['justification'])}")
    compared = tr("with {reference}", reference=reference_text(card["reference"]))
    if card["reference"] != "baseline":
        compared = tr("with {reference}, not with the baseline", reference=reference_text(card["reference"]))
    yield from titled(tr("Compared"), compared)
    yield from titled(tr("Risk"), paint(card["risk"], TONES.get(card["risk"], "good"), want_colour()))
    for reason in card["reasons"]:
        yield from titled("", f"- {said(reason)}", further=2)
    yield from titled(tr("Suggested"), card["suggested_action"])
    if card["answer"]:  # another one than the suggested: promoting is about every machine of the fleet
        means = MEANS.get(card["answer"])
        yield from titled(tr("Answer"), f"{card['answer']}: {tr(means)}" if means else card["answer"])


def _afterwards(card: dict[str, Any], changed: Told) -> Iterator[str]:
    """What runs then, what it may do unasked, where it runs already, and which machines lack something for it."""
    if card["wanted_absent"]:
        yield from titled(tr("Afterwards"), tr(GONE.get(card["answer"], GONE[""])))
        return  # who lacks it already is not counted
    yield from executing_lines(card, changed)
    if not card.get("whole", True):
        yield from titled("!", tr("nobody has published the value that would stand: what it does is not known"))
    yield from titled(tr("Already on"), harmless(", ".join(card["runs_on"])) or tr("no machine"))
    yield from lacking_lines(card)


def executing_lines(card: dict[str, Any], changed: Told) -> Iterator[str]:
    """All that runs, in full, and what it may do unasked; of a card, or of a value that a baseline would bring."""
    if card["executes"] and _is_known_beyond(card):
        yield f"  {tr('Executes')}"
        yield from fitted(_executes(card, changed), width(), 4)
    if card.get("whole", True):
        yield from unasked_lines(card)


def _proof(card: dict[str, Any], machines: Sequence[str]) -> Iterator[str]:
    approved = ", ".join(card["approvals"]) or (tr("by policy") if card["policy_approved"] else tr("by nobody yet"))
    given = [yes for yes in card.get("yes", ()) if yes["at"]]
    since = "; ".join(_yes(yes) for yes in given)
    yield from titled(tr("Approved"), since or harmless(approved))
    yield from titled(tr("Expires"), moment(card["expires"]))
    each = tr("roosync decision rollback ID, each by its own")
    yield from titled(tr("Undo"), each if len(machines) > 1 else said(card["undo"]))
    yield from titled(tr("Hash"), card["hash"])
    for title, found in ((tr("Log"), card["log"]), (tr("Not counted"), card["refused"])):
        if found:
            yield f"  {title}"
        for line in found:
            yield from within(f"    {said(line)}", 6)


def _yes(yes: dict[str, Any]) -> str:
    at = moment(yes["at"])
    if yes["by"] == "policy":
        return tr(
            "by the policy, revision {revision}, signed by {operator}, since {at}",
            revision=yes["revision"], operator=harmless(yes["signed_by"]), at=at,
        )  # fmt: skip
    return tr("{operator}, since {at}", operator=harmless(yes["by"]), at=at)


def _heads(card: dict[str, Any], machines: Sequence[str]) -> list[str]:
    """Which decision it is; of several the machines by name, all of them."""
    entity = harmless(card["entity"])
    if len(machines) < 2:
        state = tr("{status}, attempt {number}", status=card["status"], number=card["attempt"])
        where = tr("{entity} on {machine}", entity=entity, machine=card["machine"])
        return within(f"{card['id']}   {where}   {state}", PLACE)
    what = tr("{entity} on {count} machines, the same on each", entity=entity, count=len(machines))
    return [
        *within(f"{what}   {card['status']}", PLACE),
        *titled(tr("Machines"), ", ".join(map(harmless, machines))),
    ]


def _changes(card: dict[str, Any]) -> list[dict[str, Any]]:
    """What changes; of a text that is known on both sides all of it, so that what is around a change can be shown."""
    promoted = card["answer"] in ("override_remote", "keep_special")
    before, after = (card["remote_value"], card["local_value"]) if promoted else (card["local_value"], card["wanted"])
    in_part = [change["path"] for change in card["changes"]] != [[]]
    if in_part and isinstance(before, str) and isinstance(after, str):
        return [{"path": [], "before": before, "after": after, "absent": ""}]
    found: list[dict[str, Any]] = card["changes"]
    return found


def _is_known_beyond(card: dict[str, Any]) -> bool:
    """Does what executes say more than the changes do? A list of which all changes stand above as a whole does not."""
    in_part = [change["path"] for change in card["changes"]] != [[]]
    return isinstance(card["executes"], dict) or (isinstance(card["executes"], list) and in_part)


def _executes(card: dict[str, Any], changed: Told) -> list[str]:
    """All of it; only a text of a mode that stands above in full is not printed twice."""
    if not isinstance(card["executes"], dict):
        return block("=", tr("(all of it)"), card["executes"], apart=True)
    lines, above = [], []
    for name, value in ordered(card["executes"], card["kind"]).items():
        if card["kind"] == "mode" and name in changed.whole and isinstance(value, str) and "\n" in value:
            above.append(name)
        else:
            lines += block("=", harmless(name), value, apart=True)
    if above:
        lines.append(f"({tr('in full above, under Changes: {fields}', fields=', '.join(map(harmless, above)))})")
    return lines


def _following(card: dict[str, Any]) -> list[str]:
    """Every answer that can be given, in words: which side wins is what a person decides here."""
    approve, machine = f"roosync decision approve {card['id']}", card["machine"]
    if card["status"] != "pending" and card["status"] not in AGAIN:
        return []
    answers = [(approve, tr("make the changes above on {machine}", machine=machine))]
    if card["reference"] == "baseline" and card["verdict"] in OWN:
        whole = tr("what {machine} has, for every machine", machine=machine)
        answers.append((f"roosync decision approve {card['id']} --action override_remote", whole))
    if card["reference"] == "baseline":
        own = tr("{machine} keeps its own, for good", machine=machine)
        answers.append((f"roosync decision approve {card['id']} --action keep_special", own))
    if card["status"] != "rejected":
        answers.append((f"roosync decision reject {card['id']}", tr("leave this difference as it is")))
    longest = max(len(command) for command, _ in answers)
    head = tr("Next: {command}", command="")
    heads = [head, *[" " * len(head)] * (len(answers) - 1)]
    lines = (f"{head}{command:{longest}}   {what}" for head, (command, what) in zip(heads, answers, strict=True))
    return ["", *(part for line in lines for part in hanging(line, width(), 10))]
