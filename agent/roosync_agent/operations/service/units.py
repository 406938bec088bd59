"""What each system's manager of services reads, as text: a systemd user unit, a launchd agent, a task of Windows.

Made from one description, and nothing is done here. Each file says who wrote it and what it was, so that what
somebody else wrote, or changed by hand, is never written over.
"""

import hashlib
import plistlib
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

WRITTEN = "Written by `roosync service install`"
_MARK = re.compile(rf"^.*{re.escape(WRITTEN)}; sha256 ([0-9a-f]{{64}}).*\n", re.MULTILINE)
ABOUT = "roosync: keeps the configuration of AI coding assistants in step"
STOPS_WITHIN = 45  # seconds; `up` ends its parts itself, the agent before the broker
BACK_AFTER = 5  # seconds after which it is started again


@dataclass(frozen=True, kw_only=True)
class Service:
    """What is to run."""

    name: str  # of the unit, label or task
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    log: str = ""  # a file, where the manager keeps no log of its own
    user: str = ""  # as Windows calls this person


def systemd_unit(service: Service) -> str:
    environment = "".join(f"Environment={_word(f'{name}={value}')}\n" for name, value in service.environment.items())
    command = " ".join(_word(word, dollar="$$") for word in service.command)
    return f"""\
[Unit]
Description={ABOUT}
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=exec
ExecStart={command}
{environment}# More of it, if you like: ROOSYNC_MACHINE=..., a line each.
EnvironmentFile=-%E/roosync/environment
Restart=on-failure
RestartSec={BACK_AFTER}
# `up` ends its parts itself, the agent before the broker; what is left after that is killed.
KillMode=mixed
TimeoutStopSec={STOPS_WITHIN}
UMask=0077
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def launchd_agent(service: Service) -> str:
    return plistlib.dumps(
        {
            "Label": service.name,
            "ProgramArguments": list(service.command),
            "EnvironmentVariables": dict(service.environment),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": BACK_AFTER,
            "ExitTimeOut": STOPS_WITHIN,
            "ProcessType": "Background",
            "StandardOutPath": service.log,
            "StandardErrorPath": service.log,
            "Umask": 0o077,
        },
        sort_keys=False,
    ).decode()


def windows_task(service: Service) -> str:
    """Task Scheduler's XML (schema 1.2); its elements have an order. Read as UTF-16."""
    program, *words = service.command
    return f"""\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>{escape(ABOUT)}. {escape(WRITTEN)}.</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
      <UserId>{escape(service.user)}</UserId>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{escape(service.user)}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>10</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{escape(program)}</Command>
      <Arguments>{escape(subprocess.list2cmdline(words))}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


def marked(text: str, comment: Callable[[str], str]) -> str:
    """`text` with a line that says who wrote it, and what it was then; after the head that XML has to begin with."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    line = comment(f"{WRITTEN}; sha256 {digest}") + "\n"
    head, _, rest = text.partition("\n") if text.startswith("<?xml") else ("", "", text)
    return f"{head}\n{line}{rest}" if head else line + text


def whose(text: str) -> str:
    """ours, changed (ours, and by hand since), or foreign."""
    found = _MARK.search(text)
    if found is None:
        return "foreign"
    before = text[: found.start()] + text[found.end() :]
    return "ours" if hashlib.sha256(before.encode()).hexdigest() == found[1] else "changed"


def _word(text: str, *, dollar: str = "$") -> str:
    """One word of a unit: systemd reads %, quotes, backslashes, and a dollar in a command."""
    if "\n" in text or "\0" in text:
        raise ValueError(f"{text!r} has a line break, and can not stand in a unit")
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", dollar)
    return f'"{quoted}"' if re.search(r"[^\w@%+=:,./$-]", quoted, re.ASCII) else quoted
