"""What a person is told of an error, and whose fault it is."""

import errno
import os

import pytest

from roosync_agent.operations.faults import fault_of, words_of
from roosync_agent.state import StateError


def of_system(number, *names):
    return OSError(number, os.strerror(number), *names)


WORDS = {  # error -> what is told of it
    "no room": (of_system(errno.ENOSPC), ["there is no room on the disk", "make room", "roosync doctor"]),
    "no room, and where": (of_system(errno.ENOSPC, "/x/y"), ["no room to write /x/y", "make room"]),
    "not allowed": (of_system(errno.EACCES, "/x/y"), ["/x/y can not be used: Permission denied", "roosync doctor"]),
    "read only": (of_system(errno.EROFS), ["a file can not be used", "Read-only file system"]),
    "ours": (StateError("law.json is broken: restore it"), ["law.json is broken: restore it"]),
}


@pytest.mark.parametrize(("error", "parts"), WORDS.values(), ids=WORDS)
def test_what_the_system_says_is_told_with_what_to_do_next(error, parts):
    told = words_of(error)
    assert [part for part in parts if part not in told] == []
    assert "Errno" not in told
    assert fault_of(error) == "state"
