"""What an expression is made of. A value that is compared has its place with it, so that an error can show it."""

from typing import Literal

from msgspec import Struct

Sign = Literal["=", "!=", "<", "<=", ">", ">="]


class Everybody(Struct, frozen=True):
    """`all`."""


class Names(Struct, frozen=True):
    """Machines by their exact names; many with `or` between them are one of these."""

    names: dict[str, tuple[int, int]]  # with the place of each in the text


class Pattern(Struct, frozen=True):
    """A name with `*`, `?` or `[...]` in it."""

    glob: str


class Has(Struct, frozen=True):
    """`has:NAME`: among what a machine found on itself."""

    glob: str
    at: int
    end: int


class Compared(Struct, frozen=True):
    """A label or a fact beside a value."""

    key: str
    sign: Sign
    value: str
    at: int
    end: int  # of the key
    value_at: int
    value_end: int


class Not(Struct, frozen=True):
    node: "Node"


class And(Struct, frozen=True):
    nodes: "tuple[Node, ...]"


class Or(Struct, frozen=True):
    nodes: "tuple[Node, ...]"


Node = Everybody | Names | Pattern | Has | Compared | Not | And | Or
