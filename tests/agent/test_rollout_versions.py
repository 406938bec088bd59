"""A machine of a release that knows no waves is in no rollout: it would apply everything at once (wire of 0.1.0)."""

from types import SimpleNamespace

import pytest

from roosync_agent.operations.membership.lawmaking import RefusedRequestError
from roosync_agent.operations.rollouts.pace import require_knowing
from roosync_protocol import __version__
from roosync_protocol.targeting import parse

RUNS = {
    "today's": ({"a": __version__}, ""),
    "the first that knows them": ({"a": "v0.2.0"}, ""),
    "a trial version of it": ({"a": "0.2.0-dev+3"}, ""),
    "nothing heard of it": ({"a": None}, ""),
    "one before": ({"a": "0.2.0", "b": "0.1.0"}, "b (0.1.0)"),
    "two before": ({"a": "0.1.9", "b": "0.1.0", "c": "1.0.0"}, "a (0.1.9), b (0.1.0)"),
    "nobody knows which": ({"a": ""}, "a (no version)"),
}


@pytest.mark.parametrize(("runs", "named"), RUNS.values(), ids=RUNS)
def test_who_would_not_wait_is_refused_by_name(runs, named):
    reports = {name: version if version is None else SimpleNamespace(roosync_version=version)
               for name, version in runs.items()}  # fmt: skip
    fleet = SimpleNamespace(status=reports.get)
    if not named:
        require_knowing(fleet, runs)
        return
    with pytest.raises(RefusedRequestError) as raised:
        require_knowing(fleet, runs)
    told = str(raised.value)
    assert named in told
    parse(told.split("--on '")[1].rstrip("'"))  # what it says to type is an expression
