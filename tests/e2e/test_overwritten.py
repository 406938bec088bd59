"""An assistant that writes its old memory back over what was applied, in the seconds after: a state of its own."""

import time


def test_the_tool_wrote_its_old_value_back(new_fleet, homes, waiting):
    alpha, beta = new_fleet.site("alpha"), new_fleet.site("beta")
    homes.lay(alpha)
    homes.lay(beta)
    new_fleet.in_step(alpha, beta)

    old = beta.read(homes.mcp)
    alpha.write(homes.mcp, alpha.read(homes.mcp).replace(b'"uvx"', b'"pipx"'))
    own = alpha.decision("pending", machine="alpha", entity="roo.mcp/fetch")
    alpha.roosync("decision", "approve", own["id"], "--action", "override_remote", "--yes")
    asked = alpha.decision("pending", machine="beta", entity="roo.mcp/fetch")
    alpha.roosync("decision", "approve", asked["id"], "--yes")
    alpha.decision("applied", machine="beta", entity="roo.mcp/fetch")
    assert b'"pipx"' in beta.read(homes.mcp)

    time.sleep(1.5)  # after the first verification, before the ones at 2 and 10 s
    beta.write(homes.mcp, old)
    seen = alpha.decision("overwritten", machine="beta", entity="roo.mcp/fetch")
    told = alpha.ask("decision_show", id_=seen["id"])
    assert "wrote its old value back" in told["log"][-1]
    assert beta.read(homes.mcp) == old, "nothing is written over an assistant that is at work"
    assert "beta" in alpha.roosync("status", codes=(2, 3, 4)).out

    alpha.roosync("decision", "approve", seen["id"], "--yes")  # a person closed the assistant, and tries again
    new_fleet.settle(alpha)
    assert b'"pipx"' in beta.read(homes.mcp)
