"""What was heard of each record, as the broker keeps it: so many messages of each speaker, in the order of the stream.

Whoever ran all the time and whoever reads the stream for the first time hold the same, and so read the same records.
Also what nobody can open has its place: it pushes out what its speaker said before.
"""

from bisect import bisect_left
from collections.abc import Collection

from roosync_protocol.decision import RETAINED, Place
from roosync_protocol.envelope import Heard
from roosync_protocol.record_kinds import Key, key_of_subject
from roosync_protocol.subjects import speaker_of

KEPT = 512  # messages of one record, of all speakers, that are kept for folding again


class HeardRecords(dict[Key, list[Heard]]):
    """The messages by record; `unread` are the places of those that nobody can open."""

    def __init__(self) -> None:
        super().__init__()
        self.unread: dict[Key, list[Place]] = {}

    def keep(self, key: Key, heard: Heard) -> bool:
        """A fact can be heard while older messages are still being read, so each takes its place. False: known."""
        kept = self.setdefault(key, [])
        at = bisect_left(kept, heard.sequence, key=lambda one: one.sequence)
        there = kept[at] if at < len(kept) and kept[at].sequence == heard.sequence else None
        if there is None:
            kept.insert(at, heard)
        elif (there.speaker, there.operation) == (heard.speaker, heard.operation):
            return False  # delivered twice
        else:
            kept[at] = heard  # the bus was put back, and its place is taken by another one since
        self._trim(key, heard.speaker)
        del kept[:-KEPT]
        return True

    def keep_unread(self, subject: str, sequence: int) -> Key | None:
        """The record that a message belongs to which can not be opened; None when it belongs to none, or was known."""
        key, speaker = key_of_subject(subject), speaker_of(subject)
        if key is None:
            return None
        places = self.unread.setdefault(key, [])
        if (speaker, sequence) in places:
            return None
        places.append((speaker, sequence))
        self._trim(key, speaker)
        return key

    def drop(self, key: Key) -> None:
        self.pop(key, None)
        self.unread.pop(key, None)

    def drop_kinds(self, kinds: Collection[type]) -> None:
        for key in [key for key in (*self, *self.unread) if key[0] in kinds]:
            self.drop(key)

    def drop_unshown(
        self, shown: Collection[int], kinds: Collection[type] | None, machine: str | None, last: int
    ) -> list[Key]:
        """See `Fleet.forget_unshown`; the records that changed."""
        sequences, changed = frozenset(shown), []
        newest = max(last, *sequences) if sequences else last
        for key in dict.fromkeys((*self, *self.unread)):
            if (kinds is not None and key[0] not in kinds) or (machine is not None and key[1] not in ("", machine)):
                continue
            kept, places = self.get(key, []), self.unread.get(key, [])
            left = [one for one in kept if one.sequence > newest or one.sequence in sequences]
            unread = [(who, at) for who, at in places if at > newest or at in sequences]
            if (left, unread) != (kept, places):
                changed.append(key)
                self.drop(key)
                self |= {key: left} if left else {}
                self.unread |= {key: unread} if unread else {}
        return changed

    def _trim(self, key: Key, speaker: str) -> None:
        """Of each speaker as many as the broker keeps."""
        kept, unread = self.get(key, []), self.unread.get(key, [])
        own = [one.sequence for one in kept if one.speaker == speaker]
        own += [sequence for who, sequence in unread if who == speaker]
        if len(own) > RETAINED:
            gone = min(own)
            kept[:] = [one for one in kept if one.sequence != gone]
            unread[:] = [one for one in unread if one != (speaker, gone)]
