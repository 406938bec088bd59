"""What a machine keeps for a server goes where the server is: to another one, with another address."""

from collections.abc import Iterator

from roosync_protocol.digest import same
from roosync_protocol.names import Value
from roosync_protocol.risk.dangers import Danger
from roosync_protocol.risk.rules import Risk
from roosync_protocol.secrets import addresses

_PLACES = ("command", "args", "url", "serverUrl", "httpUrl", "endpoint")  # who gets the secrets of a server


def in_server(before: Value | None, after: dict[str, Value]) -> Iterator[Danger]:
    old = before if isinstance(before, dict) else {}
    kept = [address for address in addresses(after) if address in addresses(old)]
    if not kept:
        return
    names = ", ".join(address.rsplit("/", 1)[-1] for address in kept[:3])
    moved = [name for name in _PLACES if not same(old.get(name), after.get(name))]
    if moved:
        yield Risk.HIGH, f"what this machine keeps secret ({names}) goes to another {' and '.join(moved)}"
    if not {place for place in _where_secret(after) if place[1] in kept} <= _where_secret(old):
        yield Risk.HIGH, f"what this machine keeps secret ({names}) is put into another field"


def _where_secret(server: dict[str, Value]) -> set[tuple[str, str]]:
    """Field and address of every secret in it."""
    return {(name, address) for name, inner in server.items() for address in addresses(inner)}
