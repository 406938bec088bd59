"""The classes of risk by their names, the least first: for messages, for what people type, and for every order of rows.

`risk.Risk` is the same as numbers, beside the rules that give it. Imports little, for commands that only ask.
"""

from typing import Literal, get_args

RiskName = Literal["none", "low", "medium", "high", "critical"]
RISK_NAMES: tuple[RiskName, ...] = get_args(RiskName)


def danger(name: str) -> int:
    """To sort by, and to compare: 0 is none; a class that is not known here is more dangerous than all that are."""
    return RISK_NAMES.index(name) if name in RISK_NAMES else len(RISK_NAMES)
