"""Labels of machines: by them an operator chooses, so an operator signs them. One law message for each machine.

What a person was shown is what is signed: a machine whose labels changed since is left as it is, and named.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from roosync_agent.operations.membership.lawmaking import RefusedRequestError, enact
from roosync_agent.session import Session
from roosync_broker.errors import BusError
from roosync_protocol.law import Law
from roosync_protocol.messages import Member
from roosync_protocol.secrets import scrub
from roosync_protocol.targeting import FACTS

MOST = 50  # labels of a machine
_KEY = re.compile(r"[a-z][a-z0-9_.-]{0,39}")
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_TAKEN = frozenset({"and", "or", "not", "all", "has", *FACTS})  # they mean something else in an expression

Changes = Mapping[str, str | None]  # None: the label is taken away


class LabelChange(Struct, frozen=True, kw_only=True):
    machine: str
    before: dict[str, str]
    after: dict[str, str]


class LabelAnswer(Struct, frozen=True, kw_only=True):
    changed: list[LabelChange]
    unchanged: list[str] = []  # they had these labels already
    failed: dict[str, str] = {}  # machine -> why nothing was signed for it


def read_changes(words: Iterable[str]) -> dict[str, str | None]:
    """`role=dev` sets a label, `role-` takes it away. RefusedRequestError for anything else."""
    changes: dict[str, str | None] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            if not word.endswith("-"):
                raise RefusedRequestError(f"{word!r} changes no label: write KEY=VALUE, or KEY- to take it away")
            key = word[:-1]
        if fault := _fault(key, value if equals else None):
            raise RefusedRequestError(fault)
        if key in changes:
            raise RefusedRequestError(f"the label {key!r} is given twice")
        changes[key] = value if equals else None
    return changes


def planned(law: Law, machines: Sequence[str], changes: Changes) -> list[LabelChange]:
    """What each machine would have. RefusedRequestError for a stranger, or more labels than a machine may have."""
    found = []
    for machine in machines:
        member = law.members.get(machine)
        if member is None or member.revoked:
            raise RefusedRequestError(f"{machine!r} is no machine of this fleet; `roosync machines` lists them")
        before = dict(member.labels)
        after = {key: value for key, value in {**before, **changes}.items() if value is not None}
        if len(after) > MOST:
            raise RefusedRequestError(f"{machine} would have {len(after)} labels; {MOST} is the most")
        found.append(LabelChange(machine=machine, before=before, after=dict(sorted(after.items()))))
    return found


async def label(session: Session, changes: Sequence[LabelChange]) -> LabelAnswer:
    """Signs them, one after the other; what can not be signed for one machine keeps it from no other."""
    changed, unchanged, failed = [], [], {}
    for change in changes:
        if change.before == change.after:
            unchanged.append(change.machine)
            continue
        try:
            await enact(session, lambda change=change: _relabelled(session, change))  # type: ignore[misc]
            changed.append(change)
        except (BusError, RefusedRequestError) as error:
            failed[change.machine] = str(error)
    return LabelAnswer(changed=changed, unchanged=unchanged, failed=failed)


# -- inside


def _relabelled(session: Session, change: LabelChange) -> Member:
    """The membership as it stands at this moment, with the labels that a person saw."""
    member = session.fleet.law.members.get(change.machine)
    if member is None or member.revoked:
        raise RefusedRequestError(f"{change.machine} was revoked meanwhile")
    if member.labels == change.after:
        return replace(member, agent=session.name, timestamp=session.now())  # posted before, and heard late
    if member.labels != change.before:
        raise RefusedRequestError(f"the labels of {change.machine} were changed meanwhile; look at them, and ask again")
    return replace(member, agent=session.name, timestamp=session.now(), labels=change.after)


def _fault(key: str, value: str | None) -> str | None:
    """Why this can be no label, and what can; None when it can."""
    if not _KEY.fullmatch(key):
        return (
            f"{key[:60]!r} can name no label: use 1 to 40 lower-case letters, digits, `_`, `.` and `-`, a letter first"
        )
    if key in _TAKEN or key.startswith(("label.", "local.")):
        return f"{key!r} means something else in an expression (`roosync machines --facts`); take another name"
    if value is None:
        return None
    if not _VALUE.fullmatch(value):
        shown = "the value" if scrub(value) != value else repr(value[:60])
        return f"{shown} of {key!r} can be no label: use 1 to 63 letters, digits, `_`, `.` and `-`"
    if scrub(f"{key}={value}") != f"{key}={value}":
        return f"the value of {key!r} looks like a secret, and everybody reads labels; nothing was signed"
    return None
