"""Names that mean the same in any assistant: for targets that a person declared, and for fields of tomorrow."""

from roosync_protocol.risk.rules.base import (
    ALLOW,
    CHANGE,
    CRITICAL,
    DENY,
    HIGH,
    LOW,
    MEDIUM,
    VARIABLES,
    table,
)

ANYWHERE = table(
    "*",
    (CHANGE, CRITICAL, "a command that is started by itself", "hooks hooks.* *.hooks *.hooks.*"),
    (CHANGE, CRITICAL, "where prompts and code are sent",
     "*[bB]aseUrl *[bB]ase_url *BASE_URL *baseURL *apiBase *api_base *api_url *apiUrl *ApiUrl"),
    (ALLOW, HIGH, "it acts without asking", "*alwaysAllow *autoApprove *allowedCommands"),
    (DENY, HIGH, "a command is no longer forbidden", "*deniedCommands"),
    (VARIABLES, HIGH, "what is passed on", "env *.env environment *.environment headers *.headers"),
    (CHANGE, MEDIUM, "which model answers", "model *.model"),
    (CHANGE, MEDIUM, "instructions", "customInstructions instructions *.instructions"),
    (CHANGE, LOW, "how it is shown",
     "description *.description color *.color colour *.colour theme language $schema title *.title"),
    (CHANGE, LOW, "how long it waits", "timeout *.timeout"),
)  # fmt: skip
