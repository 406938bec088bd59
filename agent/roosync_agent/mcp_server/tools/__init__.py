"""The tools, by noun; `TABLE` is all of them in the order in which an assistant reads them."""

from roosync_agent.mcp_server.tool import Row
from roosync_agent.mcp_server.tools import (
    baseline,
    config,
    coordination,
    decisions,
    fleet,
    here,
    mail,
    operator,
    servers,
    trouble,
)

TABLE: tuple[Row, ...] = (
    *fleet.ROWS,
    *config.ROWS,
    *decisions.ROWS,
    *baseline.ROWS,
    *here.ROWS,
    *servers.ROWS,
    *trouble.ROWS,
    *coordination.ROWS,
    *mail.ROWS,
    *operator.ROWS,
)
