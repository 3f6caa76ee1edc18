"""``uvirtio serve``: an emulated device over vfio-user, for QEMU 10.1 or newer and any other client."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from uvirtio.errors import LocatorError, UsageError
from uvirtio.foreign import printable

from .. import exits
from ..interruption import Interrupted
from ..last_word import LastWord
from ..named_files import check_writable, open_for_writing
from ..outlet import Outlet

if TYPE_CHECKING:
    from uvirtio.emulated.server import Server

__all__ = ["add_arguments", "run"]

_TAKEN = (
    "uvirtio serve: the client has taken its memory away (SIGBUS), and the server has ended with it; memory that is sealed "
    "against shrinking cannot be taken away"
)
#: Seconds that a server which was told to end has for what it is doing.
_GRACE = 0.5
_DIRECT = ("profile", "fault", "latency", "delay", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``uvirtio serve``."""
    parser.add_argument(
        "type",
        metavar="TYPE",
        help="rng, blk, net, console, balloon, input; described only: vsock, fs, rtc, scsi, gpu ...",
    )
    parser.add_argument("--socket", required=True, metavar="PATH", help="where to listen for the vfio-user client")
    parser.add_argument("--profile", metavar="P", help="how it suspends: virtio-1.4 (default), rfc, crosvm, slow ...")
    parser.add_argument("--fault", metavar="F", help="duties that it breaks, comma-separated: V4, R6, C2 ...")
    parser.add_argument("--latency", metavar="S", help="seconds that a request stays in process")
    parser.add_argument("--delay", metavar="S", help="seconds that suspend and resume take at least")
    parser.add_argument("--seed", metavar="N", help="start of the random sequence")
    parser.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], help="any other parameter of emulated:TYPE"
    )
    parser.add_argument("--control", metavar="PATH", help="a socket for triggers, JSON lines")
    parser.add_argument(
        "--restore",
        metavar="FILE",
        help="go on with a device that was saved: with the first access of a client that has given its memory",
    )
    parser.add_argument(
        "--save",
        metavar="FILE",
        help="where the device is saved when the control socket is asked for `save`; the server ends then",
    )
    parser.add_argument("--log", metavar="FILE", help="every register access and device event, JSON lines")
    parser.add_argument("--once", action="store_true", help="end when the first client is gone")


def _parameters(args: argparse.Namespace) -> dict[str, str]:
    parameters = {name: value for name in _DIRECT if (value := getattr(args, name)) is not None}
    for item in args.set:
        name, equals, value = item.partition("=")
        if not name or not equals:
            raise LocatorError(f"--set {item}: not NAME=VALUE")
        if name in parameters:
            raise LocatorError(f"--set {item}: {name} is given twice")
        parameters[name] = value
    return parameters


@contextlib.contextmanager
def _opened(path: str | None) -> Iterator[TextIO | None]:
    if path is None:
        yield None
        return
    with open_for_writing("--log", path, buffering=1) as file:
        yield file


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM (0) or Ctrl-C (130), or with ``--once`` until the client is gone (0)."""
    from uvirtio.emulated.log import Entry
    from uvirtio.emulated.options import parse_options
    from uvirtio.emulated.server import Server

    if args.save is not None:
        check_writable("--save", args.save)
    options = parse_options(args.type, _parameters(args))
    messages = Outlet(2)

    def said(sentence: str) -> None:
        messages.line(f"uvirtio serve: {printable(sentence, lines=True)}")

    with _opened(args.log) as file, contextlib.closing(LastWord(_TAKEN)) as last_word:
        entries = Outlet(file.fileno()) if file is not None else None

        def sink(entry: Entry) -> None:
            if entries is not None:
                entries.line(json.dumps(entry.to_json()))
                if entries.lost == 1:
                    entries.lost += 1
                    said(f"{args.log} takes no more at once: the log is not complete")

        server = Server(
            options,
            args.socket,
            control=args.control,
            sink=sink if entries is not None else None,
            tell=said,
            once=args.once,
            unsealed=last_word.prepare,
            state=_state(args.restore, args.type),
            saves=args.save is not None,
        )
        with _signals(server) as received, contextlib.suppress(_Late):
            print(printable(f"serving {args.type} ({options.describe()}) on {args.socket}"), flush=True)
            server.run()
        left = server.left
    if left is not None and server.kept:
        with open_for_writing("--save", args.save) as saved:
            saved.write(left)
    elif left is not None and not received:
        _go_on(left)
    return exits.INTERRUPTED if signal.SIGINT in received else exits.HOLDS


def _state(path: str | None, type_name: str) -> dict[str, Any] | None:
    """The state in a file. Raises :class:`UsageError` for one that cannot be read, or that is none."""
    if path is None:
        return None
    from uvirtio.emulated.saved import check, from_text

    try:
        with open(path, encoding="utf-8") as file:
            state = from_text(file.read())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--restore {path}: cannot be read: {error}") from error
    check(state, type_name)
    return state


def _go_on(state: str) -> NoReturn:
    """Be another process image, by the same command, that begins with this state."""
    from uvirtio.bus.child import memory_file
    from uvirtio.programs import environment, python_module

    words = sys.argv[1:]
    while "--restore" in words:
        del words[words.index("--restore") : words.index("--restore") + 2]
    descriptor = memory_file("uvirtio-state", state.encode())
    os.set_inheritable(descriptor, True)
    command = python_module("uvirtio", *words, "--restore", f"/proc/self/fd/{descriptor}")
    os.execve(command[0], command, environment())


class _Late(Interrupted):
    """The server was told to end, and has not come to it: it ends in the middle of what it does."""


@contextlib.contextmanager
def _signals(server: Server) -> Iterator[list[int]]:
    """Let signals end the server, by the end of a turn, or else of :data:`_GRACE`; the list gets those that came."""
    received: list[int] = []
    wake, waker = socket.socketpair()
    for end in (wake, waker):
        end.setblocking(False)
    server.loop.watch(wake, server.stop)

    def stop(number: int, _frame: FrameType | None) -> None:
        # Only noted: a message is answered to its end before the server stops.
        received.append(number)
        signal.setitimer(signal.ITIMER_REAL, _GRACE)

    def late(_number: int, _frame: FrameType | None) -> None:
        if not server.loop.stopping:
            raise _Late(received[0])

    handlers = {signal.SIGALRM: late, signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: stop}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    old_fd = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    try:
        yield received
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.set_wakeup_fd(old_fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        wake.close()
        waker.close()
