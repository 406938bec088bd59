"""What the fleet knows, in the founding documents' forms.

`views` are the dashboard and the roadmap, `forms` the three Markdown reports of seed 004 and the Status fields,
`closing` is the report at the end of a cycle. All of them are views: the bus is the truth (5-protocols, "Exports").
"""

from roosync_protocol.reports.closing import Closing, closing_fields, closing_markdown, closing_report
from roosync_protocol.reports.forms import (
    CoordinationRequest,
    LastAction,
    as_asked,
    coordination_request,
    divergence_fields,
    divergence_report,
    status_fields,
    status_report,
)
from roosync_protocol.reports.views import BLOCK_END, BLOCK_START, TITLES, dashboard, roadmap
from roosync_protocol.reports.words import Language, stamp

__all__ = [
    "BLOCK_END",
    "BLOCK_START",
    "TITLES",
    "Closing",
    "CoordinationRequest",
    "Language",
    "LastAction",
    "as_asked",
    "closing_fields",
    "closing_markdown",
    "closing_report",
    "coordination_request",
    "dashboard",
    "divergence_fields",
    "divergence_report",
    "roadmap",
    "stamp",
    "status_fields",
    "status_report",
]
