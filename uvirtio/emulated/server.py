"""The vfio-user server: an emulated device as a real PCI device for QEMU, or for any other vfio-user client."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

from ..errors import UvirtioError
from ..vfio_user.channel import Channel
from .client_session import Session
from .control import ControlServer
from .function import EmulatedFunction
from .listener import Listener
from .log import AccessLog, Entry
from .loop import Loop
from .memory import MappedMemory
from .options import Options
from .restoring import State
from .saved import load, save, through_a_file, to_text

__all__ = ["Server"]

#: Seconds for a client to close its end when we end.
_DRAIN = 0.5
#: Entries of the access log that are kept; all of them go to the sink.
_ENTRIES = 10_000


class Server:
    """Serves one device to one client after another, until it is stopped, or with ``once`` until the first is gone.

    ``state``: that of a device which was saved; it goes on with the first access of a client, who has mapped its memory by then.
    ``saves``: it can be asked to stop and be kept. ``sink`` gets every entry of the access log; ``tell`` gets a sentence for people when a client comes or goes, and what they
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
        state: State | None = None,
        saves: bool = False,
    ) -> None:
        self._options = options
        self._coming = state
        #: The state of the device where it goes on in another process.
        self.left: str | None = None
        #: Whether it is to be kept, and nobody goes on with it now.
        self.kept = False
        self.loop = Loop()
        self.log = AccessLog(self.loop, sink, limit=_ENTRIES)
        self._memory = MappedMemory()
        self._tell = tell
        self._once = once
        self._unsealed = unsealed
        self._session: Session | None = None
        self._channel: Channel | None = None
        with contextlib.ExitStack() as undo:
            self._listener = Listener(path)
            undo.callback(self._listener.close)
            listener = Listener(control) if control else None
            if listener is not None:
                undo.callback(listener.close)
            self.function = EmulatedFunction(options, self.loop, self._memory, self.log)
            undo.pop_all()
        self.loop.failed = self._lost
        self.function.device.model.watch(self.loop)
        self._control = ControlServer(listener, self.function, self.loop) if listener is not None else None
        if self._control is not None:
            self._control.verbs |= {"restore": self._restore, "respawn": self._leave}
            if saves:
                self._control.verbs["save"] = self._save
        self._listener.watch(self.loop, self._accept)

    def _accept(self, connection: socket.socket) -> None:
        self._listener.pause()  # the next client waits in the queue until this one is gone
        self._channel = Channel(connection, "the client")
        session = Session(self._channel, self.function, self._memory, self.loop, self._tell, self._unsealed)
        self._session = session
        session.begins = self._arrive
        self.loop.watch(self._channel, session.ready, self._lost)
        self._tell("a client connected")
        self.log.event("client connected")

    def _restore(self) -> None:
        """Save the device to a file, and go on with a fresh one that was restored from it."""
        state = through_a_file(self.function)
        self.function = EmulatedFunction(self._options, self.loop, self._memory, self.log)
        if self._control is not None:
            self._control.function = self.function
        if self._session is not None:
            self._session.attach(self.function)
        self.function.device.model.watch(self.loop)
        load(self.function, state)

    def _leave(self) -> None:
        """Stop, with the state of the device in :attr:`left`: whoever runs this goes on with it elsewhere."""
        self.left = to_text(save(self.function))
        self.function.abandon()
        # Whoever looks for the next server must not find this one.
        self._listener.close()
        if self._control is not None:
            self._control.stop_listening()
        self.loop.stop()

    def _save(self) -> None:
        """Stop, with the state to be kept."""
        self._leave()
        self.kept = True

    def _arrive(self) -> None:
        """A client accesses the device for the first time."""
        state, self._coming = self._coming, None
        if state is not None:
            load(self.function, state)

    def _lost(self, error: Exception) -> None:
        """The session is over; whatever ended it, that is all it ends."""
        # What is not named is our own mistake: it is told by its kind, for a report.
        why = str(error) if isinstance(error, UvirtioError) else f"the session broke: {error!r}"
        self._tell(why)
        self.log.event("client gone", why)
        self._drop()

    def _drop(self) -> None:
        session, self._session, self._channel = self._session, None, None
        if session is None:
            return
        try:
            session.close()
        except Exception as error:
            self._tell(f"the device could not be reset behind the client: {error!r}")
        if self._once:
            self.loop.stop()
        else:
            self._listener.watch(self.loop, self._accept)

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
        with contextlib.ExitStack() as stack:
            stack.callback(self.loop.close)
            stack.callback(self._listener.close)
            stack.callback(self.function.close)
            if self._control is not None:
                stack.callback(self._control.close)
            self._once = True
            stack.callback(self._drop)
            if self._channel is not None:
                _say_goodbye(self._channel.socket)


def _say_goodbye(sock: socket.socket) -> None:
    """QEMU aborts when the socket breaks in the middle of an access: tell it, then read until it has closed."""
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
