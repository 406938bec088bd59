"""Which machines an expression means, and why it means each.

A condition has three answers. A machine that never said what its system is neither has `os=linux` nor `os!=linux`, and
`not os=linux` is as unknown: "unknown" is not "different", and only what is known to hold chooses a machine. Labels are
known whole, so `not role=prod` means also machines without that label, and `role!=prod` only those that have another.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import translate
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import TypeVar

from msgspec import Struct

from roosync_protocol.names import nearest
from roosync_protocol.targeting.facts import ARCHITECTURES, FACTS, LABEL, LOCAL, Candidate
from roosync_protocol.targeting.grammar import GLOB, Grammar
from roosync_protocol.targeting.nodes import And, Compared, Everybody, Has, Names, Node, Not, Or, Pattern
from roosync_protocol.targeting.versions import order
from roosync_protocol.targeting.words import refuse

Answer = bool | None  # None: unknown
A = TypeVar("A", bound=Answer)
Test = Callable[[Candidate], Answer]
REMEMBERED = 10_000  # texts of which one condition remembers its answer
ORDERS: dict[str, Callable[..., bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


class Expression(Struct, frozen=True):
    text: str
    root: Node

    @property
    def facts(self) -> frozenset[str]:
        """The keys that it compares, and `has`; none when it speaks of names alone."""
        return frozenset(_keys(self.root))


class Term(Struct, frozen=True):
    """A condition that stands by itself, in the words of the text."""

    text: str
    test: Test


class Joined(Struct, frozen=True):
    word: str  # and, or, not
    parts: "tuple[Checked, ...]"
    test: Test


Checked = Term | Joined


def parse(text: str) -> Expression:
    """The expression of a text. TargetError, a ValueError, shows where it is none, and what would do."""
    return Expression(text, Grammar(text).whole())


def choose(expression: Expression, machines: Iterable[Candidate], *, by_facts: bool = True) -> list[str]:
    """The names of the machines that it means, in their order; none is no error here.

    TargetError for what nobody here has: a name of no machine, a key that is no label and no fact. Without `by_facts`
    only names and labels count.
    """
    known = list(machines)
    test = _checked(expression, known, by_facts).test
    return [one.name for one in known if test(one)]


def chosen_because(expression: Expression, machines: Iterable[Candidate]) -> dict[str, tuple[str, ...]]:
    """As `choose`, with the conditions for which each machine is meant, in the words of the text."""
    known = list(machines)
    checked = _checked(expression, known)
    return {one.name: tuple(dict.fromkeys(_why(checked, one, True))) for one in known if checked.test(one)}


# -- inside


def _keys(node: Node) -> Iterable[str]:
    match node:
        case Compared(key=key):
            yield key
        case Has():
            yield "has"
        case Not(node=inner):
            yield from _keys(inner)
        case And(nodes=nodes) | Or(nodes=nodes):
            for inner in nodes:
                yield from _keys(inner)


def _checked(expression: Expression, machines: Sequence[Candidate], by_facts: bool = True) -> Checked:
    return _Check(expression.text, machines, by_facts).node(expression.root)


class _Check:
    """Makes a test of each node, once for all machines: what a key means may not differ between two of them."""

    def __init__(self, text: str, machines: Sequence[Candidate], by_facts: bool) -> None:
        self._text, self._machines = text, machines
        self._names = {one.name for one in machines}
        self._labels = {key for one in machines for key in one.labels}
        told = {key for one in machines for key in one.facts if key.startswith(LOCAL)}
        self._facts = told | FACTS.keys() if by_facts else frozenset()

    def node(self, node: Node) -> Checked:
        match node:
            case Everybody():
                return Term("all", lambda one: True)
            case Names(names=places):
                for name, (at, end) in places.items():
                    if name not in self._names:
                        there = self._some() + nearest(name, self._names)
                        refuse(self._text, at, end, f"{name!r} is no machine of this fleet; its machines are {there}")
                return Term("named", lambda one: one.name in places)
            case Pattern(glob=glob):
                fits = _fits(glob)
                return Term(glob, lambda one: fits(one.name))
            case Has(glob=glob, at=at, end=end):
                if not self._facts:
                    refuse(self._text, at, end, "here only names and labels count, not what a machine has")
                return Term(self._text[at:end], self._having(glob))
            case Compared():
                return Term(self._text[node.at : node.value_end], self._comparing(node))
            case Not(node=inner):
                part = self.node(inner)
                return Joined("not", (part,), _negated(part.test))
            case And(nodes=nodes):
                parts = tuple(map(self.node, nodes))
                return Joined("and", parts, _all([part.test for part in parts]))
            case Or(nodes=nodes):
                parts = tuple(map(self.node, nodes))
                return Joined("or", parts, _any([part.test for part in parts]))

    def _having(self, glob: str) -> Test:
        """Of all that anybody has, the names that are meant are found once."""
        if GLOB.search(glob):
            everything = frozenset[str]().union(*(one.has for one in self._machines if one.has))
            meant = frozenset(filter(_fits(glob), everything))
        else:
            meant = frozenset({glob})
        return lambda one: None if one.has is None else not meant.isdisjoint(one.has)

    def _comparing(self, node: Compared) -> Test:
        """A label first, for all machines when one of them has it: no machine stands in for a missing label itself."""
        key = node.key
        if key.removeprefix(LABEL) in self._labels:
            return _label_test(key.removeprefix(LABEL), _holds(node.sign, node.value))
        if key not in self._facts:
            self._refuse_key(node)
        self._check_value(node)
        value = ARCHITECTURES.get(node.value, node.value) if key == "arch" else node.value
        holds = _holds(node.sign, value)

        def test(one: Candidate) -> Answer:
            fact = one.facts.get(key)
            return None if fact is None else holds(fact)

        return test

    def _check_value(self, node: Compared) -> None:
        """A value that the fact never has is a slip of the pen, and with `not` it would mean everybody."""
        values = FACTS[node.key][1] if node.key in FACTS else ()
        if values and (node.sign not in ("=", "!=") or not any(_fits(node.value)(value) for value in values)):
            refuse(self._text, node.value_at, node.value_end, f"{node.key} is one of {', '.join(values)}")

    def _refuse_key(self, node: Compared) -> None:
        keys = [*self._labels, *self._facts, *(f"{LABEL}{label}" for label in self._labels)]
        some = ", ".join(sorted(self._labels)[:10]) or "none yet (`roosync label MACHINE KEY=VALUE`)"
        if node.key in FACTS and not self._facts:
            told = f"{node.key!r} is a fact, and facts do not count here, only names and signed labels; labels: {some}"
            refuse(self._text, node.at, node.end, told)
        told = f"; labels here: {some}; facts do not count here"
        if self._facts:
            told = f"; labels here: {some}; facts: {', '.join(FACTS)}"
        told = nearest(node.key, keys) or told
        refuse(self._text, node.at, node.end, f"no machine has a label {node.key!r}, and it is no fact{told}")

    def _some(self, most: int = 10) -> str:
        names = sorted(self._names)
        more = f" and {len(names) - most} more (`roosync machines`)" if len(names) > most else ""
        return ", ".join(names[:most]) + more if names else "none"


def _fits(glob: str) -> Callable[[str], bool]:
    if not GLOB.search(glob):
        return lambda text: text == glob
    matches = re.compile(translate(glob)).match
    return _remembered(lambda text: matches(text) is not None)


def _remembered(test: Callable[[str], A]) -> Callable[[str], A]:
    """Very many machines say the same few things, so each text is looked at once."""
    return lru_cache(REMEMBERED)(test)


def _holds(sign: str, value: str) -> Callable[[str], Answer]:
    """Of a text in lower case; unknown when there is no order between it and the value."""
    if sign in ORDERS:
        compare, wanted = ORDERS[sign], order(value)

        def ordered(text: str) -> Answer:
            found = order(text)
            return None if found is None else compare(found, wanted)

        return _remembered(ordered)
    fits, version = _fits(value), order(value) if "." in value else None

    def same(text: str) -> bool:
        return fits(text) or (version is not None and order(text) == version)

    return _remembered(same if sign == "=" else lambda text: not same(text))


def _label_test(label: str, holds: Callable[[str], Answer]) -> Test:
    def test(one: Candidate) -> bool:
        value = one.labels.get(label)
        return value is not None and bool(holds(value.lower()))

    return test


def _negated(test: Test) -> Test:
    def negated(one: Candidate) -> Answer:
        found = test(one)
        return None if found is None else not found

    return negated


def _all(tests: Sequence[Test]) -> Test:
    def every(one: Candidate) -> Answer:
        answer: Answer = True
        for test in tests:
            found = test(one)
            if found is False:
                return False
            if found is None:
                answer = None
        return answer

    return every


def _any(tests: Sequence[Test]) -> Test:
    def some(one: Candidate) -> Answer:
        answer: Answer = False
        for test in tests:
            found = test(one)
            if found:
                return True
            if found is None:
                answer = None
        return answer

    return some


def _why(checked: Checked, one: Candidate, wanted: bool) -> list[str]:
    """The conditions that gave this answer, each in the words of the text."""
    if isinstance(checked, Term):
        return [checked.text if wanted else f"not {checked.text}"]
    if checked.word == "not":
        return _why(checked.parts[0], one, not wanted)
    telling = [part for part in checked.parts if part.test(one) is wanted]
    if (checked.word == "or") is wanted:  # one of them is enough
        telling = telling[:1]
    return [text for part in telling for text in _why(part, one, wanted)]
