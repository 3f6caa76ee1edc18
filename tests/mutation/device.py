"""Changes the emulated device and has ``check`` and ``suspend`` judge it: which statement notices?"""

from __future__ import annotations

import ast
import io
import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout

from .changes import ROOT, Mutant, mutants
from .loaded import install
from .running import SURVIVED, arguments, run

__all__ = ["all_mutants", "judged_on"]

#: What a guest cannot see: what serves the device to somebody else, the host's words and its choices, faults.
_ELSEWHERE = (
    "__init__", "backlog", "client_memory", "client_requests", "client_session", "console_stream", "control", "irq",
    "listener", "log", "loop", "options", "parameters", "parts", "peers", "profiles", "seams", "server", "triggers",
    "types", "variants",
)  # fmt: skip
_NET = (
    "emulated:net", "emulated:net?queues=2&features=+RSS,+SPEED_DUPLEX", "emulated:net?features=+HASH_REPORT",
    "emulated:net?features=+CTRL_RX_EXTRA",
)  # fmt: skip
_BLK = (
    "emulated:blk?size=1M", "emulated:blk?size=1M&queues=2", "emulated:blk?size=1M&readonly=on",
    "emulated:blk?size=1M&block=4096",
)  # fmt: skip
#: What belongs to one type is judged on devices of that type.
_OWN = {
    "balloon": ("emulated:balloon",),
    "blk": _BLK,
    "console": ("emulated:console",),
    "described": ("emulated:vsock?guest_cid=42", "emulated:gpu", "emulated:crypto"),
    "input": ("emulated:input",),
    "net": _NET,
    "net_commands": _NET,
    "net_steering": _NET[1:],
    "rng": ("emulated:rng",),
    "storage": _BLK[:1],
}
#: What is every device's, on one after the other until somebody notices.
_ALL = (
    _BLK[0], "emulated:rng?latency=0.005&depth=4", "emulated:blk?size=1M&features=-RING_PACKED", "emulated:net",
    "emulated:console", "emulated:rng?features=+IN_ORDER,-RING_PACKED&latency=0.005&depth=4",
    "emulated:vsock?shm=2&vendor_data=on", "emulated:rng?features=-RING_PACKED,-EVENT_IDX,-INDIRECT_DESC",
    "emulated:rng?features=-EVENT_IDX", "emulated:rng?intx=off", "emulated:balloon", "emulated:input", _NET[1],
)  # fmt: skip
#: Verdicts that say something against a device.
_AGAINST = ("WARN", "FAIL")
#: Who notices where no statement does.
THE_RUN = "the run"


def all_mutants() -> Iterator[Mutant]:
    """Every change of what a guest sees."""
    for path in sorted((ROOT / "uvirtio/emulated").glob("*.py")):
        if path.stem not in _ELSEWHERE and not path.stem.startswith("faults"):
            yield from mutants(str(path.relative_to(ROOT)), _is_for_the_host)


#: The host's side of a device, and what only faults, the log or files use.
_HOSTS = frozenset((
    "add_region", "add_vendor_data", "change", "check", "check_notification", "clear", "close", "disturb", "make", "map",
    "misplaced", "parse", "plausible", "release", "rewind", "state", "triggers", "unmap", "watch",
    "_options", "_value_of", "_connect", "_incoming", "_poll", "FileStorage", "_Failed", "_Region",
))  # fmt: skip


def _is_for_the_host(node: ast.AST) -> bool:
    """What goes into the log or into words, what a driver's nonsense is answered with, and the host's own side."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call) and ".log." in f".{ast.unparse(node.value.func)}"
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name in _HOSTS
    return isinstance(node, ast.JoinedStr | ast.Raise)


def judged_on(mutant: Mutant) -> tuple[str, ...]:
    """The locators of the devices that a change is judged on."""
    return _OWN.get(mutant.module.rpartition(".")[2], _ALL)


def _pairs(locator: str) -> list[str]:
    return ["--pairs", "2"] if locator.startswith("emulated:net?queues=2") else []


def _work(mutant: Mutant) -> dict[str, object]:
    """Who says what against the changed device: the first that names a statement, else the first that cannot go on."""
    install(mutant)
    locators = judged_on(mutant)
    commands = [["check", locator, *_pairs(locator), "--format", "json"] for locator in locators]
    commands += [["suspend", locator, "--cycles", "3", "--json"] for locator in locators[:4]]
    stopped: dict[str, object] = {}
    for command in commands:
        against = _against(command)
        if set(against) - {THE_RUN}:
            return {
                "by": [f"{word} {id_}" for id_, word in against.items() if id_ != THE_RUN],
                "detail": " ".join(command),
            }
        if against and not stopped:
            stopped = {"stopped": f"{' '.join(command)}: {against[THE_RUN]}"}
    return stopped


def _against(command: list[str]) -> dict[str, str]:
    """What a command says against a device: statement -> verdict, and for the whole where it cannot go on."""
    from uvirtio_tools import cli

    said, complained = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(complained):
        status = cli.main(command)
    try:
        document = json.loads(said.getvalue())
    except ValueError:
        return {THE_RUN: f"status {status}, {complained.getvalue().strip()[-200:]}"}
    results = document.get("results", document.get("statements", ()))
    against = {result["id"]: result["verdict"] for result in results if result["verdict"] in _AGAINST}
    errors = [result["summary"] for result in results if result["verdict"] == "ERROR"]
    if errors or document["verdict"] in ("FAIL", "ERROR"):
        against[THE_RUN] = str(document.get("stopped") or document.get("reason") or " ".join(errors[:1]))[:300]
    return against


def main(argv: list[str] | None = None) -> int:
    """The command: 0 where no change survives."""
    args = arguments(__doc__ or "").parse_args(argv)
    outcomes = run(args, all_mutants(), _work)
    return int(any(outcome.what == SURVIVED for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
