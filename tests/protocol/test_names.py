"""What may be a name is a security question: names become subjects, and subjects become permissions."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_protocol.entity import Entity, Kind
from roosync_protocol.names import (
    MachineId,
    OperatorId,
    Sha256,
    Token,
    is_operator,
    machine_id,
    propose,
    require_machines,
    token,
)

GOOD = ("a", "pc-1", "0", "a" * 63, "myia-ai-01", "op-ann", "a--b", "a-")
BAD = {
    "nothing": "",
    "a dot": "a.b",
    "a wildcard": "*",
    "the rest": ">",
    "upper case": "PC",
    "a blank": "a b",
    "a dash first": "-a",
    "too long": "a" * 64,
    "a line feed at the end": "a\n",
    "a line feed inside": "a\nb",
    "no ASCII": "café",
    "an Arabic digit": "pc-٣",
    "a zero byte": "a\0",
}
OF_OPERATORS = ("op-ann", "op-", "op-a", "op--")


@pytest.mark.parametrize("text", GOOD)
def test_a_name(text):
    assert token(text) == text
    assert msgspec.convert(text, Token) == text


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_no_name(text):
    for kind in (Token, MachineId, OperatorId):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(text, kind)
    with pytest.raises(ValueError, match="can not be a name"):
        token(text)


@pytest.mark.parametrize("text", OF_OPERATORS)
def test_no_machine_has_the_name_of_an_operator(text):
    assert is_operator(text)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, MachineId)
    with pytest.raises(ValueError, match="operators'"):
        machine_id(text)


@pytest.mark.parametrize("text", ["ops", "o", "operator-1", "xop-a"])
def test_a_machine_may_be_called_nearly_so(text):
    assert machine_id(text) == msgspec.convert(text, MachineId) == text


@pytest.mark.parametrize("text", ["A" * 64, "0" * 63, "0" * 65, "g" * 64, "0" * 64 + "\n"])
def test_no_hash(text):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, Sha256)


PROPOSED = {"My PC": "my-pc", "DESKTOP-7F3.local": "desktop-7f3-local", "---": "machine", "": "machine", "Zoë": "zo"}


@pytest.mark.parametrize(("host", "name"), PROPOSED.items())
def test_a_proposed_name(host, name):
    assert propose(host) == name


@given(st.text())
def test_every_proposal_is_a_name(text):
    token(propose(text))
    assert not propose(text).endswith("\n")


def test_the_name_of_an_entity_may_hold_slashes():
    entity = Entity(key="roo.rules/rules/00-security.md", kind=Kind.TEXT, value="")
    assert (entity.target, entity.name) == ("roo.rules", "rules/00-security.md")


@pytest.mark.parametrize("bad", [*BAD.values(), *OF_OPERATORS], ids=repr)
@pytest.mark.parametrize("around", [((), ()), (("a",), ()), ((), ("b",)), (("a", "pc-1"), ("b",))], ids=len)
def test_many_names_are_checked_as_strictly_as_one(bad, around):
    before, after = around
    with pytest.raises(ValueError, match="can not"):
        require_machines((*before, bad, *after))
    require_machines((*before, *after))


@given(st.lists(st.one_of(st.sampled_from(GOOD[:5]), st.text(st.sampled_from("ab-.\nop"), max_size=5)), max_size=5))
def test_many_names_are_names_when_each_is_one(names):
    def each():
        for name in names:
            machine_id(name)

    def fails(check):
        try:
            check()
        except ValueError:
            return True
        return False

    assert fails(lambda: require_machines(names)) == fails(each)
