"""Messages over a stream socket: header and payload, each read exactly, so that descriptors stay with their message.

File descriptors travel with the first byte of a message. Reading exactly the sixteen bytes of a header, then exactly
the payload, is what keeps them from being mistaken for those of a neighbour.
"""

from __future__ import annotations

import array
import os
import select
import socket
import time
from dataclasses import dataclass, field

from ..errors import DeviceGone, DeviceMisbehaved, DeviceTimeout
from .wire import HEADER, MAX_FDS, MAX_TRANSFER, Header, HeaderFlag

__all__ = ["Channel", "HungUp", "Message"]

#: The longest message that is believed.
_LIMIT = MAX_TRANSFER + 4096
_ANCILLARY = socket.CMSG_SPACE(MAX_FDS * array.array("i").itemsize)


@dataclass(slots=True)
class Message:
    """One message; whoever receives it owns ``fds`` and closes what it does not keep."""

    header: Header
    payload: bytes
    fds: list[int] = field(default_factory=list)

    def close(self) -> None:
        """Close the descriptors that nobody took."""
        fds, self.fds = self.fds, []
        for fd in fds:
            os.close(fd)


class HungUp(DeviceGone):
    """The other end closed the connection, and had taken all that was sent to it before."""


class Channel:
    """One connection. :meth:`poll` takes what is there without waiting; :meth:`receive` waits for a whole message.

    Every failure is named: :class:`DeviceGone` when the other end closed, :class:`DeviceMisbehaved` for what is no
    vfio-user message, :class:`DeviceTimeout` when a message does not come (or cannot be sent) in time.
    """

    def __init__(self, sock: socket.socket, peer: str, timeout: float = 5.0) -> None:
        sock.setblocking(False)
        self.socket = sock
        self._peer = peer
        self._timeout = timeout
        self._buffer = bytearray()
        self._wanted = HEADER.size
        self._header: Header | None = None
        self._fds: list[int] = []

    def fileno(self) -> int:
        """For a selector."""
        return self.socket.fileno()

    def poll(self) -> Message | None:
        """The next message if it is there completely, None otherwise. Never waits."""
        while True:
            if len(self._buffer) < self._wanted:
                if not self._fill():
                    return None
                continue
            if self._header is None:
                self._header = Header(*HEADER.unpack(bytes(self._buffer)))
                if not HEADER.size <= self._header.size <= _LIMIT:
                    raise DeviceMisbehaved(
                        f"{self._peer} does not speak vfio-user: a message of {self._header.size} bytes"
                    )
                self._buffer.clear()
                self._wanted = self._header.size - HEADER.size
            if len(self._buffer) == self._wanted:
                message = Message(self._header, bytes(self._buffer), self._fds)
                self._header, self._fds, self._wanted = None, [], HEADER.size
                self._buffer.clear()
                return message

    def _fill(self) -> bool:
        """Read towards what is wanted; False when there is nothing to read now."""
        try:
            data, ancillary, flags, _ = self.socket.recvmsg(
                self._wanted - len(self._buffer), _ANCILLARY, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return False
        except ConnectionError as error:
            raise DeviceGone(f"{self._peer} closed the connection: {error.strerror}") from error
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = array.array("i")
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
                self._fds.extend(fds)
        if flags & socket.MSG_CTRUNC or len(self._fds) > MAX_FDS:
            raise DeviceMisbehaved(f"{self._peer} sent more than {MAX_FDS} file descriptors at once")
        if not data:
            # With something left that it had not read, this would have been a connection reset.
            raise HungUp(f"{self._peer} closed the connection")
        self._buffer += data
        return True

    def deadline(self) -> float:
        """When what is asked for now has to be there (:func:`time.monotonic`)."""
        return time.monotonic() + self._timeout

    def receive(self, deadline: float | None = None) -> Message:
        """Wait for a whole message, at most until ``deadline`` (None: the timeout from now on)."""
        if deadline is None:
            deadline = self.deadline()
        while True:
            # Looked at before each: a peer that never stops sending shall not be listened to for ever.
            self._check(deadline, "sent no complete message")
            message = self.poll()
            if message is not None:
                return message
            self._wait(deadline, writing=False)

    def send(self, header: Header, payload: bytes = b"", fds: tuple[int, ...] = ()) -> None:
        """Send a message; its size is filled in here."""
        data = HEADER.pack(*header._replace(size=HEADER.size + len(payload))) + payload
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        deadline = self.deadline()
        sent = 0
        while sent < len(data):
            try:
                sent += self.socket.sendmsg([memoryview(data)[sent:]], [] if sent else ancillary)
            except BlockingIOError:
                self._wait(deadline, writing=True)
            except OSError as error:
                raise DeviceGone(f"{self._peer} closed the connection: {error.strerror}") from error

    def _check(self, deadline: float, what: str) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise DeviceTimeout(f"{self._peer} {what} within {self._timeout:g} s", seconds=self._timeout)
        return left

    def _wait(self, deadline: float, *, writing: bool) -> None:
        left = self._check(deadline, "took no message" if writing else "sent no complete message")
        poller = select.poll()
        poller.register(self.socket, select.POLLOUT if writing else select.POLLIN)
        poller.poll(left * 1000)

    def reply(self, to: Header, payload: bytes = b"", errno: int = 0) -> None:
        """Answer a command, unless it wanted no answer."""
        if to.flags & HeaderFlag.NO_REPLY:
            return
        flags = HeaderFlag.REPLY | (HeaderFlag.ERROR if errno else 0)
        self.send(Header(to.id, to.command, 0, flags, errno), b"" if errno else payload)

    def close(self) -> None:
        """Close the socket and the descriptors of a message that was never completed."""
        for fd in self._fds:
            os.close(fd)
        self._fds = []
        self.socket.close()
