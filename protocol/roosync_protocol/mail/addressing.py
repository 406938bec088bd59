"""Whom a person means: members by name, by pattern, or all of them. Who is not meant by anything is told at once.

`all` is everybody, `machines` and `operators` are the two halves, and `*` stands for any part of a name. With a `=` or
a parenthesis it is an expression over machines (`targeting`), in which only names and signed labels count: who reads a
letter may not depend on what a machine says of itself. The sender is left out of a group and refused as a name: a
letter to oneself reaches nobody else.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from roosync_protocol.law import Law
from roosync_protocol.names import is_operator, token
from roosync_protocol.targeting import Candidate, TargetError, choose, parse

ALL, MACHINES, OPERATORS = "all", "machines", "operators"
_EXPRESSION = re.compile(r"[=()]")
_PATTERN = re.compile(r"[a-z0-9*?-]{1,63}\Z")


class NoRecipientError(ValueError):
    """Somebody who was named is no member, or nobody is left; says who there is."""


def recipients(law: Law, asked: Iterable[str], sender: str) -> tuple[str, ...]:
    """Each member that is meant, once, in the order in which they were named. NoRecipientError for any other name."""
    found: dict[str, None] = {}
    wanted = [name for part in asked for name in ([part] if _EXPRESSION.search(part) else part.split(","))]
    wanted = [name for name in wanted if name.strip()]
    if not wanted:
        raise NoRecipientError("to whom? Name machines, operators, a pattern such as 'web-*', or `all`")
    everybody = members(law)
    for name in (one.strip() for one in wanted):
        found |= dict.fromkeys(_meant(name, everybody, sender, law))
    found.pop(sender, None)
    if not found:
        raise NoRecipientError("nobody else of this fleet is meant, so there is nobody to send it to")
    return tuple(found)


def members(law: Law) -> list[str]:
    """Everybody that mail can reach: machines, then operators, none of them revoked."""
    people = law.roster.operators if law.roster else {}
    return [*law.machines(), *sorted(name for name, one in people.items() if not one.revoked)]


def _meant(name: str, everybody: list[str], sender: str, law: Law) -> list[str]:
    if name == ALL:
        return everybody
    if name in (MACHINES, OPERATORS) and name not in everybody:
        return [one for one in everybody if is_operator(one) == (name == OPERATORS)]
    if _EXPRESSION.search(name):
        return _chosen(name, law)
    if "*" in name or "?" in name:
        found = [one for one in everybody if fnmatchcase(one, name)] if _PATTERN.match(name) else []
        if not found:
            raise NoRecipientError(f"nobody of this fleet is called like {name!r}; there are {_listed(everybody)}")
        return found
    try:
        token(name)
    except ValueError as error:
        raise NoRecipientError(str(error)) from None
    if name == sender:
        raise NoRecipientError(f"you are {name}: a letter to oneself reaches nobody; name somebody else")
    if name in everybody:
        return [name]
    revoked = law.ever_key(name) is not None
    told = f"{name!r} was revoked, so mail can not reach it" if revoked else f"{name!r} is nobody of this fleet"
    raise NoRecipientError(f"{told}; there are {_listed(everybody)}")


def _chosen(text: str, law: Law) -> list[str]:
    machines = [Candidate(name=name, labels=law.members[name].labels) for name in law.machines()]
    try:
        found = choose(parse(text), machines, by_facts=False)
    except TargetError as error:
        raise NoRecipientError(str(error)) from None
    if not found:
        raise NoRecipientError(f"{text[:200]!r} means no machine of this fleet; `roosync label` lists their labels")
    return found


def _listed(names: list[str], most: int = 20) -> str:
    more = f" and {len(names) - most} more (`roosync machines`)" if len(names) > most else ""
    return ", ".join(names[:most]) + more
