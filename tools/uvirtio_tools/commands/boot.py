"""``uvirtio boot``: start a VM with an image in it, follow it, and give its verdicts."""

from __future__ import annotations

import argparse
import re
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uvirtio.errors import CannotRun, UsageError
from uvirtio.foreign import printable

from .. import exits
from ..boot.batch import run_all
from ..boot.guest import Limits
from ..boot.outcome import Outcome
from ..boot.starting import Plan, Starter
from ..boot.vmms import VMMS, by_command, named
from ..image.places import arch_of, folder_of, load
from ..inspect.output import print_json
from ..judging.result import SCHEMA as CHECKED
from ..judging.result import CheckRun
from ..judging.verdict import VERDICTS
from ..parsing import Parser
from ..reports.document import check_document, label, results_of
from ..reports.writing import Output, show
from ..telling import say, tell
from .arguments import add_common, add_report_options, outputs_of, positive_integer, seconds

__all__ = ["SCHEMA", "add_arguments", "run"]

SCHEMA = "uvirtio/boot"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``boot``."""
    if isinstance(parser, Parser):
        parser.rest = "more"
    parser.add_argument_group(
        "-- WORD ...", "further words for the VMM, its devices above all, after all that is for uvirtio"
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--vmm", choices=("qemu", *VMMS),
        help="the VMM; those of QEMU ran in our tests, the others are written from their documentation",
    )  # fmt: skip
    which.add_argument(
        "--command", dest="words", metavar="WORDS",
        help="another VMM's command line, with {kernel} or {vmlinux}, {initrd}, {cmdline} and, where you like, {memory} (MiB), "
        "{cpus}, {name}, {folder}, {more} in it",
    )  # fmt: skip
    parser.add_argument("--binary", metavar="PATH", help="the VMM's program (default: that of its name from PATH)")
    parser.add_argument("--arch", metavar="ARCH", help="x86_64 or aarch64 (default: this machine's)")
    parser.add_argument(
        "--image", metavar="DIRECTORY", help="the image (default: where `uvirtio image build` makes it)"
    )
    parser.add_argument(
        "--kernel", metavar="FILE", help="another kernel; it has to fit the image's modules, or have all in it"
    )
    parser.add_argument("--initrd", metavar="FILE", help="another initramfs")
    parser.add_argument(
        "--run", metavar="WORDS", action="append", default=[],
        help="what the guest does: 'check --only core', 'suspend --cycles 20', 'list', 'tui', shell ... for all its devices where none is named; "
        "repeatable, each in a VM of its own (default: check)",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", metavar="N", type=positive_integer, default=1, help="how many VMs at once (default: 1)"
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=seconds(zero=False),
        help="how long a VM may take; one that hangs is a FAIL (default: 600; for a person in `shell` or `tui` as long as it takes)",
    )  # fmt: skip
    parser.add_argument(
        "--ready", metavar="SECONDS", type=seconds(zero=False), default=120.0,
        help="how long a guest may take until it is up (default: 120)",
    )  # fmt: skip
    parser.add_argument("--memory", metavar="MIB", type=positive_integer, default=512, help="of the VM (default: 512)")
    parser.add_argument("--cpus", metavar="N", type=positive_integer, default=1, help="of the VM (default: 1)")
    parser.add_argument(
        "--accel", choices=("auto", "kvm", "tcg"), default="auto",
        help="QEMU's; auto tries KVM where it is there, and says so where it does not run the kernel (default: auto)",
    )  # fmt: skip
    parser.add_argument("--append", metavar="WORDS", default="", help="further words for the kernel's command line")
    parser.add_argument("--config", metavar="FILE", help="Firecracker's devices: the JSON of its --config-file")
    parser.add_argument(
        "--event", metavar="NAME=COMMAND", action="append", default=[],
        help="what the host does when a check in the guest asks for NAME (change_config, set_link ...): the shell runs COMMAND with "
        "UVIRTIO_EVENT, UVIRTIO_ARGUMENTS (JSON) and UVIRTIO_VMM_PID (repeatable)",
    )  # fmt: skip
    parser.add_argument("--keep", metavar="DIRECTORY", help="keep each console and each result there")
    add_report_options(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """The command."""
    outputs = [] if args.json else outputs_of(args)
    runs = args.run or ["check"]
    stop, lock = threading.Event(), threading.Lock()
    keep = _folder(args.keep)

    def line(number: int, text: str, step: bool) -> None:
        if step:
            with lock:
                tell(f"{number + 1}: {text}" if len(runs) > 1 else text)

    starter = Starter(_plan(args), stop, line, keep)
    for each in runs:
        starter.cmdline(each)  # what cannot be asked for is said before anything is started
    outcomes = run_all(
        runs,
        args.jobs,
        lambda number, again: starter.start(number, runs[number], again=again),
        stop,
        lambda n, o: _tell(n, o, len(runs)),
    )
    status = exits.worst(outcome.status for outcome in outcomes)
    if args.json:
        print_json(
            {"schema": SCHEMA, "version": 1, "status": status, "runs": [_shown(outcome) for outcome in outcomes]}
        )
    else:
        _report(outcomes, outputs)
    return status


def _plan(args: argparse.Namespace) -> Plan:
    arch = arch_of(args.arch)
    vmm = by_command(args.words) if args.words is not None else named(args.vmm, arch)
    image = None
    if args.kernel is None or args.initrd is None:
        image = load(Path(args.image) if args.image else folder_of(arch))
        if image.arch != arch:
            raise CannotRun(f"the image in {image.folder} is for {image.arch}, not {arch}: name the one with --arch")
    return Plan(
        vmm, arch, image, kernel=args.kernel, initrd=args.initrd, binary=args.binary, memory=args.memory, cpus=args.cpus,
        accelerator=args.accel, append=args.append, config=args.config, more=args.more, events=_events(args.event),
        limits=_limits(args), terminal=sys.stdin.isatty() and sys.stdout.isatty() and len(args.run) == 1,
    )  # fmt: skip


def _limits(args: argparse.Namespace) -> Limits:
    """A person at a terminal has all the time in the world."""
    whole = args.timeout or (
        float("inf") if args.run and args.run[0] in ("shell", "tui") and sys.stdin.isatty() else 600.0
    )
    return Limits(whole, min(args.ready, whole))


def _events(words: Sequence[str]) -> dict[str, str]:
    events = {}
    for word in words:
        name, sign, command = word.partition("=")
        if not sign or not command.strip() or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise UsageError(
                f"--event {word}: NAME=COMMAND is needed, such as change_config='kill -USR1 $UVIRTIO_VMM_PID'"
            )
        events[name] = command
    return events


def _folder(path: str | None) -> Path | None:
    if path is None:
        return None
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--keep {path}: {error.strerror}") from error
    return Path(path)


def _tell(number: int, outcome: Outcome, several: int) -> None:
    """How one machine ended, with its last lines where it did not come to its end."""
    before = f"{number + 1}: " if several > 1 else ""
    if outcome.stopped:
        tell(f"{before}{outcome.stopped}{', again and alone' if outcome.again else ''}")
        for line in outcome.lines:
            tell(printable(line), who="  |")
    elif several > 1:
        tell(f"{before}{outcome.run}: {outcome.sentence()}{', alone' if outcome.again else ''}")
    for damage in outcome.damaged:
        tell(f"{before}{damage}")


def _shown(outcome: Outcome) -> dict[str, Any]:
    return {
        "run": outcome.run,
        "status": outcome.status,
        "guest": outcome.ready,
        "stopped": outcome.stopped,
        "lines": [printable(line) for line in outcome.lines] if outcome.stopped else [],
        "again": outcome.again,
        "seconds": round(outcome.seconds, 1),
        "damaged": outcome.damaged,
        "commands": [{"words": words, "status": status} for words, status in outcome.commands],
        "results": outcome.documents(),
    }


def _report(outcomes: Sequence[Outcome], outputs: Sequence[Output]) -> None:
    """What was judged, as `check` reports it; a line for each `suspend`; what anything else has said."""
    documents: list[dict[str, Any]] = []
    for outcome in outcomes:
        for document in outcome.documents():
            if document.get("schema") == CHECKED:
                documents.append(check_document(document, f"the result of {outcome.run}"))
            elif "verdict" in document:
                for device in document.get("devices") or [document]:
                    reason = device.get("reason") or device.get("stopped") or ""
                    say(f"{device['verdict']}  {device.get('locator', '')}  {reason}".rstrip())
        if outcome.stopped:
            # Nobody who reads the files only shall take it for a run that was not asked for.
            machine = {"kernel": outcome.ready or "not up", "hypervisor": "", "python": ""}
            documents.append(CheckRun(outcome.run, machine=machine, stopped=outcome.stopped).to_json())
        elif not outcome.results:
            for line in outcome.output:
                say(line)
    files = [output for output in outputs if output.path is not None]
    judged = any(document["results"] for document in documents)
    if judged or (documents and files):
        show(documents, outputs if judged else files)
    if documents and len(files) == len(outputs):
        for document in documents:
            say(f"{label(document)}: {_counts(document)}")
    elif not documents and files:
        tell("nothing was judged by check, so no result is written")


def _counts(document: dict[str, Any]) -> str:
    found = Counter(result["verdict"] for result in results_of(document))
    return ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])
