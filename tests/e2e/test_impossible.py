"""What can be seen to be impossible is said before anything is shown, asked, or a passphrase wanted."""

import pytest

PASSPHRASE = "a long enough passphrase"


@pytest.fixture(scope="module")
def site(fleets, homes, new_port, waiting, tmp_path_factory):
    """alpha, in step with beta, whose key has a passphrase; one decision of it is applied, and one waits."""
    fleet = fleets()
    alpha = homes.lay(fleet.site("alpha"))
    secret = tmp_path_factory.mktemp("secret") / "passphrase"
    secret.write_text(PASSPHRASE)
    secret.chmod(0o600)
    alpha.extra = {"ROOSYNC_PASSPHRASE_FILE": str(secret)}
    alpha.roosync("init", "--fleet", "e2e", "--operator", "ana", "--port", str(new_port()))
    alpha.up()
    beta = homes.lay(fleet.site("beta"))
    fleet.join(alpha, beta)
    fleet.agree(alpha)
    alpha.roosync("policy", "set", "low=one", "medium=one", "high=one")
    alpha.write(homes.memory, "# Memory\n\nAnswer in Breton.\n")
    applied = alpha.decision("pending")["id"]
    alpha.roosync("approve", applied, "--yes", "--wait", "30")
    alpha.decision("applied")
    alpha.write(homes.rule, "# Rules\n\n- Other ones.\n")
    waits = alpha.decision("pending")["id"]
    alpha.extra = {}  # now the passphrase would be asked for, at a terminal that is not there
    return alpha, {"APPLIED": applied, "WAITS": waits}


IMPOSSIBLE = [
    (("decision", "approve", "APPLIED"), "is applied and can not be approved now"),
    (("decision", "approve", "APPLIED", "--yes"), "is applied and can not be approved now"),
    (("decision", "approve", "APPLIED", "--action", "keep_special"), "is applied and can not be answered this way now"),
    (("decision", "approve", "d-none"), "there is no decision 'd-none'"),
    (("decision", "rollback", "WAITS"), "is pending and can not be rolled back now"),
    (("decision", "reject", "APPLIED"), "is applied and can not be rejected now"),
    (("pause", "alhpa"), "'alhpa' is no member of this fleet; its machines are alpha, beta; did you mean alpha?"),
    (("baseline", "restore", "9.9"), "no baseline '9.9' was published"),
    (("baseline", "choose", "roo.mcp/githib", "--omit"), "no proposal waits"),
]


@pytest.mark.parametrize(("words", "says"), IMPOSSIBLE, ids=[" ".join(words) for words, _ in IMPOSSIBLE])
def test_it_is_said_before_anything_is_asked(site, words, says):
    alpha, ids = site
    ran = alpha.roosync(*(ids.get(word, word) for word in words), codes=(1,))
    assert says in ran.err
    assert not ran.out


def test_what_is_possible_goes_on_to_the_passphrase(site):
    alpha, ids = site
    alpha.fails("decision", "reject", ids["WAITS"], says="no terminal to ask on")
    assert "Risk" in alpha.roosync("decision", "approve", ids["WAITS"], codes=(1,)).out


@pytest.mark.parametrize("words", [("decision", "approve", "WAITS"), ("approve", "WAITS"), ("revoke", "beta")])
def test_without_a_key_nothing_is_shown_or_asked(site, words):
    alpha, ids = site
    key = alpha.state / "keys" / "operator.nk"
    found = next(path for path in alpha.state.rglob("*operator*") if path.is_file()) if not key.exists() else key
    aside = found.rename(found.with_name("aside"))
    try:
        ran = alpha.roosync(*(ids.get(word, word) for word in words), codes=(1,))
    finally:
        aside.rename(found)
    assert "no operator's key lies on this machine" in ran.err
    assert not ran.out
