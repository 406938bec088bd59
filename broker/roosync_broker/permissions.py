"""Who may publish and hear what: the broker's users file, generated from the law and the table of kinds.

The lists are allow-lists; what is not in them is refused. Nobody here may purge, delete or make consumers:
a push consumer's deliver subject is not checked by the server, so that right would be a way into another's
subscriptions (3-bus, "Sharp edges"). The same lists drive the in-memory twin.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from roosync_broker.keys import is_public
from roosync_broker.topology import BUCKETS, CLOSED, INFO, bucket_stream, bucket_subject
from roosync_protocol import micro
from roosync_protocol.law import Law
from roosync_protocol.names import is_operator
from roosync_protocol.subjects import STREAMS, Subjects

# What members may ask the account of the streams for, and whether the answer has several messages.
SERVED: tuple[tuple[str, bool], ...] = (
    ("post.>", False),
    ("$KV.>", False),
    ("$JS.API.DIRECT.GET.>", True),
    ("$JS.API.CONSUMER.MSG.NEXT.>", True),
    ("$JS.ACK.>", False),
)
INFOS = "$JS.API.STREAM.INFO.>"  # asked under `topology.INFO`: each account answers for itself under this name
FACTS = "roosync.>"  # what they hear from there
REPLIES = "rpc"  # the token of inboxes that other members may answer into; see `member`


class Rights(Struct, frozen=True, kw_only=True):
    """What one user of the broker may do: subject patterns of NATS."""

    name: str
    key: str  # public nkey
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    unheard: tuple[str, ...] = ()  # what a wider subscription does not deliver


def member(fleet: str, name: str, key: str, *, orchestrates: bool = False) -> Rights:
    """A machine, or an operator (by its name).

    Answers to calls go to `_INBOX.<caller>.rpc.<random>`, a subject of its own for each call. The server's
    `allow_responses` is not used: it would let a member call itself with a reply subject under `roosync.`, and
    so speak where only the server may.
    """
    subjects = Subjects(fleet)
    publish = subjects.granted(name, orchestrates=orchestrates)
    publish += _reads(fleet, (stream for stream in STREAMS if stream not in CLOSED))
    publish += [f"$JS.API.DIRECT.GET.{bucket_stream(fleet, bucket)}" for bucket in BUCKETS]
    # How long a lease lives, and how many heartbeats there are.
    asking = ("$JS.API.STREAM.INFO", INFO)
    publish += [f"{ask}.{bucket_stream(fleet, bucket)}" for bucket in BUCKETS for ask in asking]
    publish.append(f"roosync-rpc.{fleet}.*.*.{name}")
    # Its own mailbox only: a direct get names its subjects in the body, where no permission looks.
    publish += [f"$JS.API.CONSUMER.MSG.NEXT.{fleet}-MAIL.{name}", f"$JS.ACK.{fleet}-MAIL.{name}.>"]
    hear = [*_heard(fleet, "mail"), f"roosync.{fleet}.mail.{name}.>", f"{inbox(name)}.>"]
    if is_operator(name):
        publish += [*_reads(fleet, ("ENROL",)), *micro.asked(fleet)]
    else:
        publish += [bucket_subject(fleet, "presence", name), f"_INBOX.*.{REPLIES}.>"]
        if orchestrates:
            publish.append(bucket_subject(fleet, "leases", "*", name))
        hear += [f"roosync-rpc.{fleet}.{name}.>", *micro.answered(fleet, name)]
    return Rights(name=name, key=key, publish=tuple(publish), subscribe=tuple(hear))


def founder(fleet: str, root_key: str) -> Rights:
    """The pinned root key while there is no roster yet: it says the first law, under the name it then gives itself."""
    reads = _reads(fleet, (stream for stream in STREAMS if stream != "MAIL"))
    hear = (*_heard(fleet, "mail"), "_INBOX.*.>")
    return Rights(name="founder", key=root_key, publish=(f"post.{fleet}.>", *reads), subscribe=hear)


def joiner(fleet: str, code: str, key: str, machine: str | None = None) -> Rights:
    """The holder of a one-time code: asks to be admitted, reads the law that answers, and nothing else."""
    name = joiner_name(code)
    return Rights(
        name=name,
        key=key,
        publish=(f"post.{fleet}.enrol.{code}.{machine or '*'}", f"$JS.API.DIRECT.GET.{fleet}-LAW"),
        subscribe=(f"roosync.{fleet}.member.>", f"roosync.{fleet}.roster.>", f"{inbox(name)}.>"),
    )


def joiner_name(code: str) -> str:
    """The name under which a joiner connects (its inbox is below it)."""
    return f"join-{code}"


def observer(fleet: str, name: str, key: str) -> Rights:
    """Hears every fact but mail, and says nothing: the credential for `nats sub 'roosync.>'`.

    It may ask which agents are there (`nats micro ls`); their answers go below `_INBOX.<name>.rpc`.
    """
    name = f"observer-{name}"
    hear, asks = ("roosync.>", f"{inbox(name)}.>"), tuple(micro.asked(fleet))
    return Rights(name=name, key=key, publish=asks, subscribe=hear, unheard=(f"roosync.{fleet}.mail.>",))


def inbox(name: str) -> str:
    return f"_INBOX.{name}"


def rights(law: Law, now: datetime) -> list[Rights]:
    """Everybody the law admits at this moment, in a fixed order. A record with an impossible key is left out."""
    found: list[Rights] = []
    if law.roster is None:
        found.append(founder(law.fleet, law.root))
    else:
        for name, operator in sorted(law.roster.operators.items()):
            if not operator.revoked:
                found.append(member(law.fleet, name, operator.key))
        found += [observer(law.fleet, name, key) for name, key in sorted(law.roster.observers.items())]
    for name, entry in sorted(law.members.items()):
        if not entry.revoked:
            found.append(member(law.fleet, name, entry.key, orchestrates=entry.may_orchestrate))
    found += [joiner(law.fleet, code.id, code.key, code.machine) for code in law.open_invitations(now)]
    seen: set[str] = set()
    unique = []
    for one in found:  # one key is one user for the server; it refuses a file that names a key twice
        if is_public(one.key) and one.key not in seen:
            seen.add(one.key)
            unique.append(one)
    return unique


def users_text(keeper_key: str, everybody: list[Rights]) -> str:
    """The users file: the account FLEET with the streams and the keeper, and the account MEMBERS with everybody else.

    Two accounts, because a member names the address of the answer to what it asks, and the server asks nobody whether
    that is a place of its own. In the account of the streams an answer to `post.<...>` would be stored there, in
    whoever's name; out of another account it is not.
    """
    note = "# Written by the keeper from the signed law. Changes by hand are lost."
    served = (*SERVED, (INFOS, False))
    exports = [_service(subject, several) for subject, several in served] + [f'{{ stream: "{FACTS}" }}']
    imports = [
        *(f'{{ service: {{ account: FLEET, subject: "{subject}" }} }}' for subject, _ in SERVED),
        f'{{ service: {{ account: FLEET, subject: "{INFOS}" }}, to: "{INFO}.>" }}',
        f'{{ stream: {{ account: FLEET, subject: "{FACTS}" }} }}',
    ]
    lines = [
        note,
        "FLEET: {",
        "  jetstream: enabled",
        f"  users: [ {{ nkey: {keeper_key} }} ]",
        f"  exports: [ {', '.join(exports)} ]",
        "}",
        "MEMBERS: {",
        f"  imports: [ {', '.join(imports)} ]",
        "  users: [",
    ]
    for one in everybody:
        if one.key == keeper_key:
            continue
        lines += [
            f"    # {one.name}",
            f"    {{ nkey: {one.key}, permissions: {{",
            f"      publish: {{ {_list(one.publish)} }}",
            f"      subscribe: {{ {_list(one.subscribe, one.unheard)} }}",
            "    } }",
        ]
    return "\n".join([*lines, "  ]", "}"]) + "\n"


def _service(subject: str, several: bool) -> str:
    return f'{{ service: "{subject}", response_type: {"stream" if several else "singleton"} }}'


def _list(allowed: tuple[str, ...], denied: tuple[str, ...] = ()) -> str:
    if not allowed:  # an empty allow-list would mean everything
        return 'deny: [">"]'
    text = f"allow: [{_quoted(allowed)}]"
    return f"{text}, deny: [{_quoted(denied)}]" if denied else text


def _quoted(subjects: tuple[str, ...]) -> str:
    return ", ".join(f'"{subject}"' for subject in subjects)


def _reads(fleet: str, streams: Iterable[str]) -> list[str]:
    names = [f"{fleet}-{stream}" for stream in streams]
    return [f"$JS.API.{verb}.{name}" for name in names for verb in ("DIRECT.GET", "STREAM.INFO")] + [
        f"{INFO}.{name}" for name in names
    ]


def _heard(fleet: str, *without: str) -> list[str]:
    return [subject for subject in Subjects(fleet).heard() if subject.split(".")[2] not in without]


def matches(pattern: str, subject: str) -> bool:
    """Whether a concrete or narrower subject falls under a NATS pattern (`*` one token, `>` the rest)."""
    wanted, given = pattern.split("."), subject.split(".")
    for index, part in enumerate(wanted):
        if part == ">":
            return len(given) > index
        if index >= len(given) or (part not in ("*", given[index])) or (part == "*" and given[index] == ">"):
            return False
    return len(wanted) == len(given)
