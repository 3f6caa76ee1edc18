"""The vfio-user server: an emulated device as a real PCI device for QEMU, or for any other vfio-user client."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import time
from collections.abc import Callable

from ..errors import CannotRun, UsageError, UvirtioError
from ..vfio_user.channel import Channel
from .client_session import Session
from .control import ControlServer
from .function import EmulatedFunction
from .log import AccessLog, Entry
from .loop import Loop
from .memory import MappedMemory
from .options import Options

__all__ = ["Server", "listen"]

#: Seconds for a client to close its end when we end.
_DRAIN = 2.0


def listen(path: str) -> socket.socket:
    """A listening UNIX socket; a socket file that nobody listens on any more is replaced. Raises CannotRun."""
    if not path:
        raise UsageError("the path of a socket to listen on is empty; name one")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                try:
                    probe.connect(path)
                except ConnectionRefusedError:
                    os.unlink(path)
                else:
                    raise CannotRun(f"another server listens on {path}; choose another path or end that server")
        listener.bind(path)
        listener.listen()
    except OSError as error:
        listener.close()
        raise CannotRun(f"cannot listen on {path}: {error.strerror or error}; choose a writable path") from error
    except CannotRun:
        listener.close()
        raise
    return listener


class Server:
    """Serves one device to one client after another, until it is stopped, or with ``once`` until the first is gone.

    ``sink`` gets every entry of the access log; ``tell`` gets a sentence for people when a client comes or goes, and what they
    should know of its memory; ``unsealed`` is called for the first of it that the client can take away under this process.
    """

    def __init__(
        self,
        options: Options,
        path: str,
        *,
        control: str | None = None,
        sink: Callable[[Entry], None] | None = None,
        tell: Callable[[str], None] = lambda sentence: None,
        once: bool = False,
        unsealed: Callable[[], None] = lambda: None,
    ) -> None:
        self.loop = Loop()
        self.log = AccessLog(self.loop, sink)
        self._memory = MappedMemory()
        self._tell = tell
        self._once = once
        self._unsealed = unsealed
        self._paths = [path, *([control] if control else [])]
        self._session: Session | None = None
        self._channel: Channel | None = None
        self._listener = listen(path)
        self._control_listener: socket.socket | None = None
        try:
            if control:
                self._control_listener = listen(control)
            self.function = EmulatedFunction(options, self.loop, self._memory, self.log)
        except BaseException:
            self._close_listeners()
            raise
        self.function.device.model.watch(self.loop)
        self._control = (
            ControlServer(self._control_listener, self.function, self.loop) if self._control_listener else None
        )
        self._listener.setblocking(False)
        self.loop.watch(self._listener, self._accept)

    def _accept(self) -> None:
        if self._session is not None:
            return
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            self.loop.forget(self._listener)  # the next client waits in the queue until this one is gone
            channel = Channel(connection, "the client")
            session = Session(channel, self.function, self._memory, self.loop, self._tell, self._unsealed)
            self._channel, self._session = channel, session
            self.loop.watch(channel, self._ready)
            self._tell("a client connected")
            self.log.event("client connected")

    def _ready(self) -> None:
        if self._session is None:
            return
        try:
            self._session.ready()
        except UvirtioError as error:
            self._tell(str(error))
            self.log.event("client gone", str(error))
            self._drop()

    def _drop(self) -> None:
        if self._session is not None and self._channel is not None:
            self.loop.forget(self._channel)
            self._session.close()
            self._session = self._channel = None
            if self._once:
                self.loop.stop()
            else:
                self.loop.watch(self._listener, self._accept)

    def run(self) -> None:
        """Serve until :meth:`stop` (or with ``once`` until the client is gone), then :meth:`close`."""
        try:
            self.loop.run()
        finally:
            self.close()

    def stop(self) -> None:
        """Let :meth:`run` end."""
        self.loop.stop()

    def close(self) -> None:
        """End the session in an order that QEMU survives, and remove the sockets."""
        if self._channel is not None:
            # QEMU aborts when the socket breaks in the middle of an access: say goodbye, then read until it closes.
            sock = self._channel.socket
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.settimeout(0.05)
            deadline = time.monotonic() + _DRAIN
            while time.monotonic() < deadline:
                try:
                    if not sock.recv(65536):
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
        self._once = True
        self._drop()
        if self._control is not None:
            self._control.close()
        self.function.close()
        self._close_listeners()
        self.loop.close()

    def _close_listeners(self) -> None:
        for listener in (self._listener, self._control_listener):
            if listener is not None:
                listener.close()
        for path in self._paths:
            with contextlib.suppress(OSError):
                if stat.S_ISSOCK(os.stat(path).st_mode):
                    os.unlink(path)
