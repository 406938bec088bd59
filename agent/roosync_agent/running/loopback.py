"""A place on this computer where others on it may call, and the token that they need: of faces that are called by HTTP.

Loopback alone: whoever reaches such a place acts as this machine, and what travels there is not encrypted. Everybody on
this computer reaches loopback, so a token says who may; only its owner can read the file that has it.
"""

import contextlib
import ipaddress
import secrets
import socket
from pathlib import Path

from roosync_agent.state import StateError
from roosync_broker.private_files import read_private, write_private

LEAST_TOKEN = 32  # characters
QUEUE = 256  # connections that wait to be taken


def token_file(state: Path) -> Path:
    return state / "mcp-token"


def token(state: Path) -> str:
    """The token of this state folder, made at first use; it stays, so that an assistant's configuration does."""
    path = token_file(state)
    with contextlib.suppress(FileNotFoundError):
        found = read_private(path, 1024).decode("ascii", "replace").strip()
        if len(found) < LEAST_TOKEN or not found.isascii() or not found.isalnum():
            raise StateError(f"{path} holds no token; remove it, and a new one is made")
        if path.stat().st_mode & 0o077 and hasattr(socket, "AF_UNIX"):
            raise StateError(f"others may read {path}; remove it, and a new one is made")
        return found
    made = secrets.token_hex(32)
    write_private(path, made.encode() + b"\n")
    return made


def bound(host: str, port: int) -> socket.socket:
    """A listening socket on a loopback address; port 0 is any free one. StateError in words."""
    address = "127.0.0.1" if host == "localhost" else host
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        parsed = None
    if parsed is None or not parsed.is_loopback:
        raise StateError(
            f"this listens on loopback alone, and {host} is not: whoever reaches it acts as this machine. "
            f"From another computer, go through SSH: ssh -L {port}:127.0.0.1:{port} HOST"
        )
    listening = socket.socket(socket.AF_INET6 if parsed.version == 6 else socket.AF_INET)
    try:
        if hasattr(socket, "AF_UNIX"):
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(QUEUE)
    except (OSError, OverflowError) as error:
        listening.close()
        raise StateError(
            f"port {port} on {host} can not be had ({error}); name another one with --port. If it is no program of "
            "yours that has it, assistants showed it the token: remove mcp-token from the state folder, and a new one "
            "is made"
        ) from error
    return listening
