"""What arguments of tools may be, said once: their form, their limits, and a few words about them.

Nothing that could be taken for an option of a command, for a path, or for several lines is a name of anything.
"""

from typing import Annotated

from pydantic import Field

from roosync_protocol.risk_names import RiskName

Limit = Annotated[int, Field(ge=1, le=200)]
Offset = Annotated[int, Field(ge=0)]  # rows to pass over: `left` says how many come
DecisionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$", description="Or its beginning")]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,119}$")]
Machine = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Choosing = Annotated[
    str, Field(max_length=500, pattern=r"^[^-@\x00-\x1f][^@\x00-\x1f]*$",
               description="Machines: names, patterns, label=value, with and, or, not")
]  # fmt: skip
Target = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.@-]{0,99}$", description="Or assistant: roo.mcp")]
Entity = Annotated[str, Field(pattern=r"^[A-Za-z0-9][^\x00-\x1f\\]{0,299}$", description="A thing: roo.mcp/github")]
Version = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$")]
Line = Annotated[str, Field(max_length=500, pattern=r"^([^-\x00-\x1f][^\x00-\x1f]*)?$")]
Body = Annotated[str, Field(max_length=100_000, description="Markdown")]
Risk = RiskName
DryRun = Annotated[bool, Field(description="True only shows what would happen")]
Wait = Annotated[float, Field(ge=0, le=600, description="For the person; 0 only prepares")]
