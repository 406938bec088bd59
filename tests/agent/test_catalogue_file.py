"""A catalogue is read as gettext reads it, and a file that is none is an empty one."""

import gettext
import struct

import pytest

from roosync_agent.catalogue_file import MAGIC, Catalogue
from roosync_agent.wording import BELOW, FACES, FOLDER, LANGUAGES


@pytest.mark.parametrize("domain", [FACES, BELOW])
@pytest.mark.parametrize("language", LANGUAGES)
def test_it_reads_what_gettext_reads(language, domain):
    ours = Catalogue(FOLDER / language / "LC_MESSAGES" / f"{domain}.mo")
    theirs = gettext.translation(domain, FOLDER, [language])
    known = {said: told for said, told in vars(theirs)["_catalog"].items() if said}
    single = {said for said in known if isinstance(said, str)}
    assert len(ours) > 500
    assert {said for said in ours if "\0" not in said} == single
    assert {said: ours.gettext(said) for said in single} == {said: known[said] for said in single}
    for said in ours:
        if "\0" in said:
            for count in (0, 1, 2, 100):
                assert ours.ngettext(*said.split("\0"), count) == theirs.ngettext(*said.split("\0"), count)


NONE = {
    "no file": None,
    "an empty file": b"",
    "another file": b"msgid ''" * 20,
    "lists that are not there": struct.pack("<IIIII", MAGIC, 0, 9, 28, 2**31),
    "more than there is": struct.pack("<IIIII", MAGIC, 0, 2**31, 28, 28),
}


@pytest.mark.parametrize("data", NONE.values(), ids=NONE)
def test_what_is_no_catalogue_is_an_empty_one(data, tmp_path):
    path = tmp_path / "x.mo"
    if data is not None:
        path.write_bytes(data)
    found = Catalogue(path)
    assert dict(found) == {}
    assert (found.gettext("a"), found.ngettext("a", "b", 1), found.ngettext("a", "b", 2)) == ("a", "a", "b")


def test_what_nobody_translated_is_english():
    found = Catalogue(FOLDER / LANGUAGES[0] / "LC_MESSAGES" / f"{FACES}.mo")
    assert "\udc80 no such sentence" not in found
    assert (found.gettext("no such"), found.ngettext("one such", "such", 5)) == ("no such", "such")
    assert found.gettext("") == ""
