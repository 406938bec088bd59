"""`roosync broker keep`: the keeper of nats-servers that somebody else starts and stops.

One keeper for each node whose folder lies on this computer: a server reads its users from a file beside it, so who
keeps that file has to be there too. The streams belong to all nodes, and any keeper makes and sweeps them.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.running.signals import stop_event
from roosync_broker.children import OneAtATime
from roosync_broker.errors import InTheWayError, KeyFileError, UnavailableError
from roosync_broker.keeper import Keeper
from roosync_broker.nodes import NodeNote, node_note, open_node
from roosync_broker.tasks import end
from roosync_broker.topology import LEASE_TTL

log = logging.getLogger("roosync.broker")

AGAIN = 2.0  # seconds until a node that is not there, or has no others to work with, is tried again


def notes_of(folders: Sequence[Path]) -> list[NodeNote]:
    """What the nodes' folders say. OursError, RefusedRequestError when they are not nodes of one fleet."""
    notes = [node_note(folder) for folder in folders]
    if fleets := {note.fleet for note in notes} - {notes[0].fleet}:
        raise RefusedRequestError(
            f"these are nodes of the fleets {notes[0].fleet!r} and {fleets.pop()!r}; keep each fleet by itself"
        )
    return notes


def keepers(folders: Sequence[Path], root: str, *, lease_ttl: float = LEASE_TTL) -> list[Keeper]:
    """A keeper for each node, not started; the first of them sweeps."""
    found: list[Keeper] = []
    for folder, note in zip(folders, notes_of(folders), strict=True):
        broker = open_node(folder)
        first = not found
        found.append(Keeper(broker, note.fleet, root, replicas=note.replicas, lease_ttl=lease_ttl, sweeps=first))
    return found


async def run(folders: Sequence[Path], root: str, *, lease_ttl: float = LEASE_TTL) -> None:
    """Until SIGTERM or Ctrl-C. A node that is away is waited for, and told once."""
    stop = stop_event()
    locks = [OneAtATime(folder / "keep.lock") for folder in folders]
    made = keepers(folders, root, lease_ttl=lease_ttl)
    tasks: list[asyncio.Task[Any]] = []
    try:
        for folder, lock in zip(folders, locks, strict=True):
            if not lock.acquire():
                raise InTheWayError(f"a keeper runs already on {folder}: stop that `roosync broker keep` first")
        started = [asyncio.create_task(_start(keeper, folder)) for keeper, folder in zip(made, folders, strict=True)]
        waiting = asyncio.create_task(stop.wait())
        failed = asyncio.create_task(_first_failure(started))
        tasks = [waiting, failed, *started]
        await asyncio.wait((waiting, failed), return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
    finally:
        await end(tasks)
        await asyncio.shield(asyncio.gather(*(keeper.stop() for keeper in made)))
        for lock in locks:
            lock.release()


async def _start(keeper: Keeper, folder: Path) -> None:
    told = ""
    while True:
        try:
            await keeper.start()
        except KeyFileError:
            raise
        except UnavailableError as error:
            if str(error) != told:
                log.warning("the node in %s can not be kept yet: %s", folder, error)
            told = str(error)
            await asyncio.sleep(AGAIN)
        else:
            log.info("keeping the node in %s", folder)
            return


async def _first_failure(started: Sequence[asyncio.Task[None]]) -> None:
    """Raises what only a person can mend; otherwise waits for ever, as long as the keepers do their work."""
    await asyncio.gather(*started)
    await asyncio.Event().wait()
