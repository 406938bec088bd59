"""Clears records away that ended long ago (3-bus, "The keeper"). Which ones is `roosync_protocol.clearing`'s to say.

Everything is read and folded before anything goes, with the law that the keeper believes. A record leaves whole up to
the last message that was read: what somebody says about it in this very moment stays, and has to prove itself.
"""

from datetime import datetime

from roosync_broker.keys import verify
from roosync_broker.link import Link
from roosync_broker.sweeper import purge, subjects_of
from roosync_protocol import envelope
from roosync_protocol.clearing import Key, Told, leaving
from roosync_protocol.fleet import Fleet
from roosync_protocol.law import Law
from roosync_protocol.messages import MalformedError
from roosync_protocol.subjects import Subjects


async def clear_records(link: Link, law: Law, now: datetime) -> list[Key]:
    """Purge what may leave, with the arrivals of cycles that do; returns which records. Needs the keeper's rights."""
    subjects, view, everything = Subjects(law.fleet), Fleet(law, verify), f"post.{law.fleet}.>"
    work = subjects.stream("WORK")
    ids = {subject.split(".")[-2].encode() for subject in await subjects_of(link, work, everything)}
    told: dict[Key, Told] = {}
    last: dict[Key, int] = {}
    async for stored in link.read(work, everything):
        key = tuple(stored.subject.split(".")[2:-1])
        time = stored.time or now  # without a time it counts as young
        told.setdefault(key, Told(newest=time)).add(time, stored.data, ids)
        last[key] = stored.sequence
        try:
            heard = envelope.unseal(subjects, stored.subject, stored.data, stored.headers, verify, stored.sequence)
        except MalformedError:  # it counts for nothing, but it has its place, as for every member
            view.hear_unread(stored.subject, stored.sequence)
        else:
            view.hear(heard)
    gone = leaving(view, told, now)
    for key in gone:
        if key[0] == "cycle":  # first: a cycle that is left without them says nothing wrong
            await purge(link, subjects.stream("REPORTS"), subjects.post("arrival", key[1]))
        await purge(link, work, subjects.record(*key), last[key])
    return gone
