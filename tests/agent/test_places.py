"""The folders of a machine by their names, in what everybody reads."""

from pathlib import PurePosixPath, PureWindowsPath

import pytest

from roosync_agent.collecting.places import folders_named

ANA, ANNA, ROOT = PurePosixPath("/home/ana"), PureWindowsPath("C:\\Users\\ana"), PurePosixPath("/")
NAMED = {
    "a file": (ANA, "/home/ana/.roo/a.md: the disk is full", "${home}/.roo/a.md: the disk is full"),
    "itself": (ANA, "'/home/ana' is read-only", "'${home}' is read-only"),
    "another one's": (ANA, "/home/anabel/x, /home/ana.old/x", "/home/anabel/x, /home/ana.old/x"),
    "below another": (ANA, "/mnt/home/ana/x", "/mnt/home/ana/x"),
    "twice": (ANA, "/home/ana/a -> /home/ana/b", "${home}/a -> ${home}/b"),
    "Windows": (ANNA, "c:/users/ANA\\x and C:\\\\Users\\\\ana\\\\y", "${home}\\x and ${home}\\\\y"),
    "a root is none": (ROOT, "wrote /etc/x", "wrote /etc/x"),
}


@pytest.mark.parametrize(("home", "text", "wanted"), NAMED.values(), ids=NAMED)
def test_folders_are_named(home, text, wanted):
    assert folders_named(text, {"${home}": home}) == wanted


def test_the_first_folder_counts_first():
    folders = {"${state}": ANA / ".state", "${home}": ANA}
    assert folders_named("/home/ana/.state/keys, /home/ana/x", folders) == "${state}/keys, ${home}/x"
