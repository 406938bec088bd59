"""Each entity of the real files taken out and put back, as another machine would bring it: the file is as it was."""

import re
from datetime import UTC, datetime

import pytest

from roosync_agent.applying.apply import execute
from roosync_agent.applying.plan import plan
from roosync_agent.collecting.collect import collect
from roosync_agent.collecting.places import layout
from roosync_agent.files.door import RealDoor
from roosync_agent.targets import TABLE

NOW = datetime(2026, 1, 16, 12, tzinfo=UTC)
SETTINGS = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings"
FILES = {
    "modes/custom_modes.yaml": "custom_modes.yaml",
    "modes/simple-complex.roomodes": "custom_modes.yaml",
}
LEFT = re.compile(
    rb"""[ \t]+(?=\r?\n)|(?<=: )["']|["'](?=\r?\n)"""
)  # blanks at ends of lines; quotes that may be there


@pytest.mark.parametrize(("name", "place"), FILES.items(), ids=FILES)
def test_taken_out_and_put_back_is_as_it_was(real, tmp_path, name, place):
    data = (real / name).read_bytes()
    path = tmp_path / "ana" / SETTINGS / place
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    door, where = RealDoor(), layout(RealDoor(), tmp_path / "ana", {}, "posix")

    def apply(key, entity, placing):
        made = plan(door, collect(door, where, TABLE), {key: entity}, placing)
        assert not made.refusals
        again = lambda: collect(door, where, TABLE)
        done = execute(made, door, tmp_path / "state", label="d-1", now=NOW, collect_again=again)
        assert done.status == "applied"

    whole = collect(door, where, TABLE)
    assert whole.entities
    for key, entity in whole.entities.items():
        apply(key, None, whole.placing)
        assert path.read_bytes() != data
        apply(key, entity, whole.placing)
        assert LEFT.sub(b"", path.read_bytes()) == LEFT.sub(b"", data), key
        path.write_bytes(data)
