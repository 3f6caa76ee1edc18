"""The QMP client against a monitor whose every line a test decides."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from uvirtio.bus.qmp import Qmp, QmpError
from uvirtio.errors import CannotRun, QemuDied

GREETING = {"QMP": {"version": {"qemu": {"major": 9, "minor": 2, "micro": 1}, "package": " (Debian 9.2)"}}}


class Monitor:
    """The other end: sends what it is given, and answers each command through ``answer``."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.commands: list[dict[str, object]] = []
        self.answer: Callable[[dict[str, object]], list[object]] = lambda command: [
            {"return": {}, "id": command.get("id")}
        ]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self, greeting: object = GREETING) -> None:
        self.send(greeting)
        self._thread.start()

    def send(self, *messages: object) -> None:
        for message in messages:
            if not isinstance(message, bytes):
                message = (message if isinstance(message, str) else json.dumps(message)).encode() + b"\r\n"
            self.connection.sendall(message)

    def _serve(self) -> None:
        with self.connection, self.connection.makefile("r") as lines:
            for line in lines:
                command = json.loads(line)
                self.commands.append(command)
                for message in self.answer(command):
                    if message is None:
                        self.connection.shutdown(socket.SHUT_RDWR)
                        return
                    self.send(message)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Monitor]]:
    ours, theirs = socket.socketpair()
    monitor = Monitor(theirs)
    with ours, theirs:
        yield ours, monitor


def connect(pair: tuple[socket.socket, Monitor], timeout: float = 5.0) -> tuple[Qmp, Monitor]:
    ours, monitor = pair
    monitor.start()
    return Qmp(ours, timeout), monitor


def test_it_leaves_negotiation_mode_and_knows_the_version(pair: tuple[socket.socket, Monitor]) -> None:
    qmp, monitor = connect(pair)
    assert [command["execute"] for command in monitor.commands] == ["qmp_capabilities"]
    assert qmp.version == (9, 2, 1)
    assert qmp.package == "Debian 9.2"


def test_it_sends_arguments_and_gives_what_the_command_returns(pair: tuple[socket.socket, Monitor]) -> None:
    qmp, monitor = connect(pair)
    monitor.answer = lambda command: [{"return": {"actual": 5}, "id": command["id"]}]
    assert qmp.execute("block_resize", {"node-name": "disk", "size": 5}) == {"actual": 5}
    assert monitor.commands[-1]["arguments"] == {"node-name": "disk", "size": 5}


def test_a_refused_command_carries_qemus_own_words(pair: tuple[socket.socket, Monitor]) -> None:
    qmp, monitor = connect(pair)
    monitor.answer = lambda command: [
        {"error": {"class": "DeviceNotFound", "desc": "No netdev x"}, "id": command["id"]}
    ]
    with pytest.raises(QmpError, match="refuses set_link: No netdev x") as raised:
        qmp.execute("set_link", {"name": "x", "up": True})
    assert raised.value.kind == "DeviceNotFound"


def test_events_between_question_and_answer_are_kept_and_told_apart_by_their_data(
    pair: tuple[socket.socket, Monitor],
) -> None:
    qmp, monitor = connect(pair)
    monitor.answer = lambda command: [
        {"event": "DEVICE_DELETED", "data": {"device": "a"}},
        {"event": "DEVICE_DELETED", "data": {"device": "b"}},
        {"return": 1, "id": command["id"]},
        {"event": "RESET", "data": {"guest": True}},
    ]
    assert qmp.execute("device_del") == 1
    assert qmp.event("DEVICE_DELETED", 1.0, device="b") == {"device": "b"}
    assert qmp.event("RESET", 5.0) == {"guest": True}
    assert qmp.event("DEVICE_DELETED", 0.0) == {"device": "a"}
    with pytest.raises(TimeoutError, match="DEVICE_DELETED"):
        qmp.event("DEVICE_DELETED", 0.01)


def test_the_answer_to_an_interrupted_command_is_not_taken_for_the_next_ones(
    pair: tuple[socket.socket, Monitor],
) -> None:
    qmp, monitor = connect(pair)
    monitor.send({"return": "stale", "id": 999})
    monitor.answer = lambda command: [{"return": "fresh", "id": command["id"]}]
    assert qmp.execute("query-status") == "fresh"


def test_a_monitor_that_closes_in_the_middle_is_a_qemu_that_died(pair: tuple[socket.socket, Monitor]) -> None:
    qmp, monitor = connect(pair)
    monitor.answer = lambda _command: [b'{"retu', None]
    with pytest.raises(QemuDied, match="closed its monitor before it sent the answer to query-status"):
        qmp.execute("query-status")


def test_a_silent_monitor_is_given_up_after_the_timeout(pair: tuple[socket.socket, Monitor]) -> None:
    qmp, monitor = connect(pair)
    monitor.answer = lambda _command: []
    with pytest.raises(QemuDied, match="did not send the answer to query-status in time"):
        qmp.execute("query-status", timeout=0.05)


@pytest.mark.parametrize("greeting", ["SSH-2.0-OpenSSH_9.2", {"hello": 1}, "[1, 2]"])
def test_a_socket_that_is_no_monitor_is_named_with_what_it_says(
    pair: tuple[socket.socket, Monitor], greeting: object
) -> None:
    ours, monitor = pair
    monitor.start(greeting)
    with pytest.raises(CannotRun, match="no QMP socket"):
        Qmp(ours, 5.0)
