"""Programs, switches and words in a command line that do more than start a program. Data for `dangers.commands`."""

import re

SHELLS = frozenset(
    {"sh", "bash", "zsh", "dash", "ash", "fish", "ksh", "mksh", "csh", "tcsh", "elvish", "nu", "busybox"}
)
POWERSHELLS = frozenset({"powershell", "pwsh"})
CODE_OF_SHELL = re.compile(r"-[A-Za-z]*c|--command(?:=.*)?|--init-command(?:=.*)?|-C|-s")
CODE_OF_POWERSHELL = re.compile(r"(?i)[-/](?:c|co\w*|e|ec|en\w*|cwa|commandw\w*)(?::.*)?")
CODE_OF_CMD = re.compile(r"(?i)(?:/[a-z](?::\w+)?)*/[ckr](?!:)\S*")
# Behind `cmd /c`: what starts as well without it, in words of its own.
PLAIN_BEHIND_CMD = frozenset(
    """npx npm pnpm pnpx yarn bunx bun corepack tsx ts-node node python py uv uvx pipx docker deno dotnet java go
    cargo""".split()  # noqa: SIM905
)

INTERPRETERS = {  # program -> the switches behind which code stands
    "node": ("-e", "--eval", "-p", "--print", "-pe"),
    "bun": ("-e", "--eval", "-p", "--print"),
    "deno": ("eval", "-e"),
    "python": ("-c",),
    "py": ("-c",),
    "pypy": ("-c",),
    "perl": ("-e", "-E"),
    "ruby": ("-e",),
    "php": ("-r",),
    "lua": ("-e",),
    "Rscript": ("-e",),
    "rscript": ("-e",),
    "osascript": ("-e",),
    "npx": ("-c", "--call"),
    "npm": ("-c", "--call"),
    "tsx": ("-e", "--eval"),
    "ts-node": ("-e", "--eval", "-p", "--print"),
    "groovy": ("-e",),
    "scala": ("-e",),
}
SWITCHES_WITH_VALUE = frozenset({"-W", "-X", "-r", "--require", "--import", "--loader", "-I"})
SHORT_FLAGS = re.compile(r"-[A-Za-z]{1,8}c")  # python -Ic, python -uBc
MODULES = {  # python -m ...: the ones that are no server of ours
    "http.server": "serves files to the network",
    "SimpleHTTPServer": "serves files to the network",
    "pyftpdlib": "serves files to the network",
    "code": "is a prompt that runs what it reads",
    "pdb": "is a prompt that runs what it reads",
    "timeit": "runs code that stands in the arguments",
    "cProfile": "runs another program",
    "runpy": "runs another program",
    "pty": "is a terminal",
    "smtpd": "opens a port",
}
MORE_RIGHTS = frozenset({"sudo", "doas", "runas", "gsudo", "pkexec", "su", "setpriv", "nsenter", "chroot"})
SETS_VARIABLES = frozenset({"env", "cross-env", "export"})
# Programs of the system that run, fetch or relay what they are told, and are no server.
RUN_ANYTHING = frozenset(
    """mshta rundll32 regsvr32 certutil bitsadmin wscript cscript installutil msbuild wmic forfiles schtasks at
    socat nc ncat netcat telnet xargs eval exec source iex crontab systemd-run nohup script expect""".split()  # noqa: SIM905
)
SHELL_SIGNS = re.compile(
    r"\$\(|`|[<>]\(|(?:^|\s)(?:\|\|?|&&|;|>>?|<)(?:\s|\Z)|(?:\|\|?|&&|;)\s*(?:/\S{0,200}/)?"
    r"(?:sh|bash|zsh|dash|fish|python3?|node|perl|ruby|php|pwsh|powershell|cmd|iex|sudo|env)\b"
)
RUNS_TEXT = re.compile(  # in an argument of whatever program
    r"(?i)ProxyCommand|LocalCommand|core\.(?:sshCommand|pager|editor|hooksPath|fsmonitor)|alias\.\w+=!"
    r"|protocol\.ext\.allow|ext::|checkpoint-action=exec|--use-compress-program|-exec(?:dir)?\Z|/dev/(?:tcp|udp)/"
    r"|child_process|os\.system|__import__|FromBase64String|Invoke-Expression|\biex\b|\biwr\b|DownloadString"
    r"|DownloadFile|fromCharCode|\batob\(|\bsystem\(|base64\s+-{1,2}d"
)
FETCHES = frozenset({"curl", "wget", "iwr", "fetch", "aria2c"})

CONTAINERS = frozenset({"docker", "podman", "nerdctl", "docker-compose", "finch", "container"})
ESCAPES = re.compile(  # of a container to its host, in the joined command line
    r"docker\.sock|docker_engine|podman\.sock|containerd\.sock|crio\.sock|--privileged\b|--cap-add\b|--device\b"
    r"|--security-opt\b|--(?:pid|net|network|ipc|uts|userns|cgroupns)[= ]host\b"
    r"|(?:^|[ =,])(?:/|[A-Za-z]:[\\/]?|\$\{home\}|~|\$HOME|/root|/etc|/home|/Users|/var/run|/proc|/sys|/dev):/"
    r"|(?:src|source)=(?:/|[A-Za-z]:[\\/]?|\$\{home\}|~|\$HOME|/root|/etc|/home|/Users|/proc|/sys|/dev)(?:,|\s|\Z)"
    r"|(?:^|[ =,/])\.(?:ssh|aws|gnupg|kube|docker)\b[^ ]{0,200}:/"
)

RUNNERS = frozenset({"npx", "bunx", "pnpx", "uvx"})  # they fetch a package and run it
RUNNERS_BY_WORD = {  # program -> the words behind which the package stands
    "npm": (("exec",), ("x",)),
    "pnpm": (("dlx",), ("exec",)),
    "yarn": (("dlx",),),
    "bun": (("x",),),
    "uv": (("tool", "run"), ("x",)),
    "pipx": (("run",),),
    "deno": (("run",),),
    "go": (("run",),),
    "dotnet": (("dnx",), ("tool", "exec")),
}
PACKAGE_BEHIND = frozenset({"--from", "-p", "--package", "--with", "--spec"})
PINNED = re.compile(
    r".@v?\d+\.\d+\.\d[\w.+-]*\Z|==\s*\d|@sha256:[0-9a-f]{64}|#[0-9a-f]{7,}\Z|@[0-9a-f]{40}(?:#.*)?\Z"
    r"|[:/@]v?\d+\.\d+\.\d[\w.+-]*\Z"
)
FROM_ELSEWHERE = re.compile(
    r"(?i)(?:git|hg|svn|bzr)\+|[a-z+]+://|github:|gitlab:|bitbucket:|gist:|git@|\S+\.git(?:[#@]|\Z)|file:"
)
