"""Ids become names and come back: the same on every machine, exactly as it was on this one."""

import copy
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roosync_protocol.profiles import Profiles

META = [{"name": "default", "id": "usl6gy8xkxg", "modelId": "glm"}, {"name": "simple", "id": "tqjm5wi8gbm"}]
STATE = {
    "settings": {
        "listApiConfigMeta": META,
        "profileThresholds": {"tqjm5wi8gbm": 38, "gone1234": 37},
        "pinnedApiConfigs": {"usl6gy8xkxg": True},
        "modeApiConfigs": {"code": "tqjm5wi8gbm", "ask": "gone1234", "debug": ""},
        "condensingApiConfigId": "usl6gy8xkxg",
        "enhancementApiConfigId": "",
        "currentApiConfigName": "simple",
        "allowedCommands": ["tqjm5wi8gbm"],
    }
}
NAMED = {
    "settings": {
        "listApiConfigMeta": [{"name": "default", "modelId": "glm"}, {"name": "simple"}],
        "profileThresholds": {"profile:simple": 38},
        "pinnedApiConfigs": {"profile:default": True},
        "modeApiConfigs": {"code": "profile:simple", "debug": ""},
        "condensingApiConfigId": "profile:default",
        "enhancementApiConfigId": "",
        "currentApiConfigName": "simple",
        "allowedCommands": ["tqjm5wi8gbm"],
    }
}
EXPORT = {
    "providerProfiles": {
        "currentApiConfigName": "a.b/c",
        "apiConfigs": {
            "a.b/c": {"id": "mm1m1m1m1", "apiProvider": "openai"},
            "😀": {"apiProvider": "x", "id": "nn2n2n2n2"},
        },
        "modeApiConfigs": {"code": "mm1m1m1m1"},
        "cloudProfileIds": ["nn2n2n2n2", "elsewhere"],
        "migrations": {"id": "mm1m1m1m1"},
    },
    "globalSettings": {
        "modeApiConfigs": {"ask": "nn2n2n2n2", "code": "nobody"},
        "profileThresholds": {"nn2n2n2n2": 50},
    },
}
EXPORT_NAMED = {
    "providerProfiles": {
        "currentApiConfigName": "a.b/c",
        "apiConfigs": {"a.b/c": {"apiProvider": "openai"}, "😀": {"apiProvider": "x"}},
        "modeApiConfigs": {"code": "profile:a.b/c"},
        "cloudProfileIds": ["profile:😀", "elsewhere"],
        "migrations": {"id": "mm1m1m1m1"},
    },
    "globalSettings": {"modeApiConfigs": {"ask": "profile:😀"}, "profileThresholds": {"profile:😀": 50}},
}


@pytest.mark.parametrize(("document", "named"), [(STATE, NAMED), (EXPORT, EXPORT_NAMED)], ids=["state", "export"])
def test_a_document_by_names_and_back(document, named):
    before = copy.deepcopy(document)
    profiles = Profiles.of(document)
    assert profiles.named("", document) == named
    assert profiles.with_ids("", named) == document == before


SETTINGS = {  # key -> value here, in public
    "profileThresholds": ({"mm1m1m1m1": 1}, {"profile:a.b/c": 1}),
    "globalSettings.profileThresholds": ({"mm1m1m1m1": 1}, {"profile:a.b/c": 1}),
    "condensingApiConfigId": ("mm1m1m1m1", "profile:a.b/c"),
    "globalSettings.someNewApiConfigId": ("mm1m1m1m1", "profile:a.b/c"),
    "apiConfigs.a.b/c": ({"id": "mm1m1m1m1", "x": 1}, {"x": 1}),
    "providerProfiles.apiConfigs.a.b/c": ({"id": "mm1m1m1m1", "x": 1}, {"x": 1}),
    "modeApiConfigs.code-simple": ("nn2n2n2n2", "profile:😀"),
    "currentApiConfigName": ("mm1m1m1m1", "mm1m1m1m1"),
    "customModes": ([{"slug": "a", "id": "mm1m1m1m1"}], [{"slug": "a", "id": "mm1m1m1m1"}]),
    "condensingApiConfigId.more": ("mm1m1m1m1", "mm1m1m1m1"),
}


@pytest.mark.parametrize(("key", "here", "public"), [(k, *v) for k, v in SETTINGS.items()], ids=SETTINGS)
def test_one_setting(key, here, public):
    profiles = Profiles.of(EXPORT)
    assert profiles.named(key, here) == public
    assert profiles.with_ids(key, public) == here


def test_two_machines_with_the_same_profiles_say_the_same():
    text = json.dumps(STATE).replace("usl6gy8xkxg", "11111111111").replace("tqjm5wi8gbm", "22222222")
    other = json.loads(text)
    other["settings"]["allowedCommands"] = STATE["settings"]["allowedCommands"]
    other["settings"]["profileThresholds"].pop("gone1234")
    assert Profiles.of(other).named("", other) == NAMED
    moved = Profiles.of(other).with_ids("", Profiles.of(STATE).named("", STATE))
    assert moved["settings"]["profileThresholds"] == {"22222222": 38}
    assert moved["settings"]["modeApiConfigs"] == {"code": "22222222", "debug": "", "ask": "gone1234"}


def test_a_dangling_id_means_nothing_to_others_and_stays_where_it_was():
    here = Profiles.of(STATE)
    assert here.with_ids("profileThresholds", {"profile:simple": 20}) == {"tqjm5wi8gbm": 20, "gone1234": 37}
    assert here.named("condensingApiConfigId", "gone1234") == "gone1234"
    assert here.with_ids("condensingApiConfigId", "gone1234") == "gone1234"


def test_each_section_gets_back_what_was_left_out_of_it():
    here = Profiles.of(EXPORT)
    assert here.with_ids("globalSettings.modeApiConfigs", {}) == {"code": "nobody"}
    assert here.with_ids("providerProfiles.modeApiConfigs", {}) == {}


def test_where_no_profile_is_known_nothing_is_dangling():
    bare = {"settings": {"profileThresholds": {"abc123def": 1}, "modeApiConfigs": {"code": "abc123def"}}}
    assert Profiles.of(bare).named("", bare) == bare


NEW = "profile:new one"


def test_a_new_profile_gets_one_free_id_of_its_machine():
    here, there = (Profiles.of(STATE, salt, ["new one", "simple"]) for salt in ("pc-1", "pc-2"))
    written = here.with_ids("apiConfigs.new one", {"apiProvider": "x"})
    assert re.fullmatch(r"[a-z0-9]{8,13}", written["id"])
    assert here.with_ids("profileThresholds", {NEW: 5})[written["id"]] == 5
    assert here.with_ids("condensingApiConfigId", NEW) == written["id"] == here.id_of("new one")
    assert here.id_of("new one") == Profiles.of(STATE, "pc-1").id_of("new one") != there.id_of("new one")
    # Once it is written, it is known by that id; and an id that something else has is not taken.
    after = Profiles.of({"apiConfigs": {"new one": written}}, "other salt")
    assert after.named("condensingApiConfigId", written["id"]) == NEW
    for taken in ({"condensingApiConfigId": written["id"]}, {"profileThresholds": {written["id"]: 1}}):
        assert Profiles.of(taken, "pc-1").id_of("new one") != written["id"]


def test_a_whole_document_brings_its_profiles_along():
    written = Profiles.of({}, "pc-1").with_ids("", NAMED)
    ids = {entry["name"]: entry["id"] for entry in written["settings"]["listApiConfigMeta"]}
    assert len(set(ids.values())) == 2
    assert written["settings"]["profileThresholds"] == {ids["simple"]: 38}
    assert Profiles.of(written).named("", written) == NAMED


def test_a_reference_to_a_profile_that_is_not_here_says_the_same_again_and_heals_when_it_comes():
    public = {"profile:simple": 20, NEW: 5}
    written = {"tqjm5wi8gbm": 20, "gone1234": 37, NEW: 5}
    assert Profiles.of(STATE).with_ids("profileThresholds", public) == written
    after = {"settings": STATE["settings"] | {"profileThresholds": written}}
    assert Profiles.of(after).named("profileThresholds", written) == public
    arrived = {"settings": after["settings"] | {"listApiConfigMeta": [*META, {"name": "new one", "id": "xyz98765"}]}}
    assert Profiles.of(arrived).named("profileThresholds", written) == {"profile:simple": 20}
    assert Profiles.of(arrived).with_ids("profileThresholds", public)["xyz98765"] == 5


UNCERTAIN = {
    "one name, two ids": {"listApiConfigMeta": [{"name": "a", "id": "1a"}, {"name": "a", "id": "2a"}]},
    "one id, two names": {"apiConfigs": {"a": {"id": "1a"}, "b": {"id": "1a"}}},
    "two places that disagree": {"apiConfigs": {"a": {"id": "1a"}}, "listApiConfigMeta": [{"name": "a", "id": "2a"}]},
    "an id in one place": {"apiConfigs": {"a": {"x": 1}}, "listApiConfigMeta": [{"name": "a", "id": "1a"}]},
    "no text": {"apiConfigs": {"a": {"id": 7}, "b": {"id": None}, "c": {"id": ""}, "d": "nothing"}},
    "no list of profiles": {"apiConfigs": ["a"], "listApiConfigMeta": {"a": 1}, "profileThresholds": 5},
    "no name": {"listApiConfigMeta": [{"id": "1a"}, {"name": 5, "id": "1a"}, "x", None]},
}


@pytest.mark.parametrize("document", UNCERTAIN.values(), ids=UNCERTAIN)
def test_what_is_not_certain_stays_as_it_is(document):
    document = document | {"condensingApiConfigId": "1a"}
    assert Profiles.of(document).named("", document) == document
    assert Profiles.of(document).with_ids("", document) == document


def test_a_profile_without_an_id_is_left_without():
    document = {"apiConfigs": {"a": {"x": 1}}}
    assert Profiles.of(document).with_ids("", document) == document


# Whatever comes ---------------------------------------------------------------------------------------------

ID = st.sampled_from(["", "1a", "2b", "3c", "profile:a", "profile:1a", "id:1a", "id:", "profile:", "a"])
NAME = st.sampled_from(["a", "b", "c.d", "", "profile:a", "1a", "😀", "id"])
ANY = st.none() | st.integers() | st.text(max_size=3) | st.booleans()
PROFILE = st.dictionaries(st.sampled_from(["id", "apiProvider", "x"]), ID | ANY, max_size=3)
SECTION = st.fixed_dictionaries(
    {},
    optional={
        "apiConfigs": st.dictionaries(NAME, PROFILE, max_size=4) | ANY,
        "listApiConfigMeta": st.lists(
            st.fixed_dictionaries({}, optional={"name": NAME | ANY, "id": ID | ANY, "x": ANY}), max_size=4
        ),
        "profileThresholds": st.dictionaries(ID, ANY, max_size=3) | ANY,
        "pinnedApiConfigs": st.dictionaries(ID, ANY, max_size=3),
        "modeApiConfigs": st.dictionaries(NAME, ID | ANY, max_size=3) | ANY,
        "condensingApiConfigId": ID | ANY,
        "cloudProfileIds": st.lists(ID | ANY, max_size=3) | ANY,
        "unknown": ANY | st.lists(ID),
    },
)
DOCUMENT = SECTION | st.fixed_dictionaries(
    {}, optional={"settings": SECTION, "providerProfiles": SECTION, "globalSettings": SECTION, "other": ANY}
)


@settings(max_examples=400)
@given(DOCUMENT, st.text(max_size=3))
def test_there_and_back_is_exact(document, salt):
    before = copy.deepcopy(document)
    profiles = Profiles.of(document, salt)
    assert profiles.with_ids("", profiles.named("", document)) == document == before
    for key, value in document.items():
        assert profiles.with_ids(key, profiles.named(key, value)) == value


def machine(names, ids, spoken):
    """A document in which every profile has an id; `spoken` are the names that settings refer to."""
    its = dict(zip(names, ids, strict=False))
    return {
        "providerProfiles": {"apiConfigs": {name: {"id": its[name], "x": len(name)} for name in names}},
        "globalSettings": {
            "profileThresholds": {its[name]: n for n, name in enumerate(spoken)},
            "modeApiConfigs": {f"mode-{n}": its[name] for n, name in enumerate(spoken)},
            "condensingApiConfigId": its[spoken[0]] if spoken else "",
        },
    }


NAMES = st.lists(st.text(max_size=5).filter(bool), unique=True, max_size=5)
IDS = st.lists(st.text("ab:profile", min_size=1), unique=True, min_size=5, max_size=5)


@settings(max_examples=200)
@given(NAMES, IDS, IDS, st.data())
def test_machines_that_agree_on_names_agree_on_everything(names, ids, others, data):
    spoken = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    one, other = machine(names, ids, spoken), machine(names, others, spoken)
    here, there = Profiles.of(one), Profiles.of(other)
    assert here.named("", one) == there.named("", other)
    assert there.with_ids("", here.named("", one)) == other
