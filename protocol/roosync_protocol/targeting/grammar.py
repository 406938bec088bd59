"""From a text to its tree: `not` binds more than `and`, and `and` more than `or`.

or    := and ("or" and)*
and   := not ("and" not)*
not   := "not" not | "(" or ")" | term
term  := "all" | NAME | GLOB | KEY SIGN VALUE | "has:" GLOB
"""

import re
from typing import NoReturn

from roosync_protocol.targeting.nodes import And, Compared, Everybody, Has, Names, Node, Not, Or, Pattern, Sign
from roosync_protocol.targeting.versions import order
from roosync_protocol.targeting.words import TargetError, Word, refuse, words

MAX_DEPTH = 50  # parentheses and `not` within each other
MAX_TERMS = 1_000  # beside exact names, of which there may be as many as the text holds
MAX_VALUE = 200
GLOB = re.compile(r"[*?\[]")
_NAME = re.compile(r"[a-z0-9*?\[][a-z0-9*?\[\]!-]*")
_KEY = re.compile(r"[a-z][a-z0-9_.-]{0,50}")
_SIGNS: dict[str, Sign] = {"=": "=", "==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_FOREIGN = {"&": "and", "&&": "and", "|": "or", "||": "or", ",": "or", "!": "not"}


class Grammar:
    """Reads one text, once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = words(text)
        self._next = 0
        self._terms = 0
        self._deep = 0

    def whole(self) -> Node:
        """The tree of the text. TargetError shows where it is none."""
        if not self._words:
            raise TargetError("which machines? A name, a pattern such as lab-*, role=dev, or `all`")
        found = self._or()
        word = self._peek()
        if word is not None:
            self._refuse(word, self._misplaced(word))
        return found

    def _or(self) -> Node:
        parts = [self._and()]
        while self._takes("or"):
            parts.append(self._and())
        if len(parts) == 1:
            return parts[0]
        names: dict[str, tuple[int, int]] = {}
        for part in parts:
            if isinstance(part, Names):
                names.update(part.names)
        others = [part for part in parts if not isinstance(part, Names)]
        together = ([Names(names)] if names else []) + others
        return together[0] if len(together) == 1 else Or(tuple(together))

    def _and(self) -> Node:
        parts = [self._not()]
        while self._takes("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self) -> Node:
        word = self._peek()
        if word is None:
            last = self._words[-1]
            refuse(self._text, last.at, last.end, f"something has to follow {last.text!r}: a machine, or a condition")
        if word.keyword != "not" and word.kind != "(":
            return self._term()
        self._next += 1
        self._deep += 1
        if self._deep > MAX_DEPTH:
            self._refuse(word, f"this lies deeper than {MAX_DEPTH} parentheses: take some away")
        found: Node = Not(self._not()) if word.kind == "word" else self._inside(word)
        self._deep -= 1
        return found

    def _inside(self, opened: Word) -> Node:
        if (first := self._peek()) is not None and first.kind == ")":
            refuse(self._text, opened.at, first.end, "nothing stands in these parentheses")
        found = self._or()
        closing = self._peek()
        if closing is None:
            self._refuse(opened, "this parenthesis has no end: put a `)` behind what belongs to it")
        if closing.kind != ")":
            self._refuse(closing, self._misplaced(closing))
        self._next += 1
        return found

    def _term(self) -> Node:
        word = self._words[self._next]
        self._next += 1
        if word.kind in ("sign", ")") or word.keyword in ("and", "or") or word.text in _FOREIGN:
            self._refuse(word, f"{word.text!r} stands where a machine or a condition should be")
        if word.keyword == "all":
            return Everybody()
        following = self._peek()
        if following is not None and following.kind == "sign" and following.text in _SIGNS:
            return self._compared(word, following)
        if word.kind == "word" and word.text.lower().startswith("has:"):
            return self._has(word)
        name = word.text.lower()
        if not _NAME.fullmatch(name) or len(name) > 100:
            self._refuse(word, _no_name(word.text))
        if not GLOB.search(name):
            return Names({name: (word.at, word.end)})
        self._count(word)
        return Pattern(name)

    def _compared(self, key: Word, sign: Word) -> Compared:
        self._count(key)
        self._next += 1
        if not _KEY.fullmatch(key.text.lower()):
            self._refuse(key, f"{key.text!r} can be no label and no fact")
        value = self._peek()
        if value is None or value.kind not in ("word", "quoted") or not value.text:
            self._refuse(sign, f"a value has to follow {sign.text!r}; one with blanks in quotes, * for any")
        self._next += 1
        if len(value.text) > MAX_VALUE:
            self._refuse(value, f"a value has at most {MAX_VALUE} characters")
        meant = _SIGNS[sign.text]
        if meant not in ("=", "!=") and order(value.text) is None:
            self._refuse(value, f"{sign.text!r} compares versions and numbers, such as 0.2 or 1.4.0-rc.1")
        return Compared(key.text.lower(), meant, value.text.lower(), key.at, key.end, value.at, value.end)

    def _has(self, word: Word) -> Has:
        self._count(word)
        wanted, end, following = word.text[4:], word.end, self._peek()
        if not wanted and following is not None and following.kind == "quoted" and following.at == word.end:
            self._next += 1
            wanted, end = following.text, following.end
        if not wanted or len(wanted) > MAX_VALUE:
            self._refuse(word, "has: what? A target, an assistant, an MCP server, a tool: has:roo.mcp, has:docker")
        return Has("-".join(wanted.lower().split()), word.at, end)

    def _count(self, word: Word) -> None:
        self._terms += 1
        if self._terms > MAX_TERMS:
            self._refuse(word, f"these are more than {MAX_TERMS:,} conditions; give machines a label, and ask for it")

    def _peek(self) -> Word | None:
        return self._words[self._next] if self._next < len(self._words) else None

    def _takes(self, keyword: str) -> bool:
        word = self._peek()
        if word is None or word.keyword != keyword:
            return False
        self._next += 1
        return True

    def _misplaced(self, word: Word) -> str:
        if word.kind == ")":
            return "this parenthesis was never opened"
        if word.text in _FOREIGN:
            return f"write `{_FOREIGN[word.text]}` for {word.text!r}"
        if word.kind == "sign":
            return f"{word.text!r} compares a label or a fact with a value, as in role=dev"
        return f"`and` or `or` is missing before {word.text[:60]!r}"

    def _refuse(self, word: Word, why: str) -> NoReturn:
        refuse(self._text, word.at, word.end, why)


def _no_name(text: str) -> str:
    if text.startswith("@"):
        return "a file is read by the command line alone, where it stands by itself: --on @FILE"
    if ":" in text:
        key, _, value = text.partition(":")
        return f"{text[:60]!r} is no machine; a condition is written {key[:30]}={value[:30]}"
    return f"{text[:60]!r} can name no machine: names have lower-case letters, digits and dashes, patterns also * ? [ ]"
