"""A UNIX socket that clients connect to: its owner's alone, and removed at the end."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Callable

from ..errors import CannotRun, UsageError
from .loop import Loop

__all__ = ["Listener"]

#: Seconds until a client is looked for again where this process had no descriptor left for it.
_PAUSE = 1.0


class Listener:
    """Listens at ``path``; a socket file that nobody listens on any more is replaced.

    Raises CannotRun where that is not possible, UsageError for an empty path.
    """

    def __init__(self, path: str) -> None:
        if not path:
            raise UsageError("the path of a socket to listen on is empty; name one")
        self._path = path
        self._loop: Loop | None = None
        self._accepted: Callable[[socket.socket], None]
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        try:
            if _is_socket(path):
                self._replace()
            # The file gets the mode of the socket, from the first moment on.
            os.fchmod(self._socket.fileno(), stat.S_IRUSR | stat.S_IWUSR)
            self._socket.bind(path)
            self._identity = _identity(path)
            self._socket.listen()
        except OSError as error:
            self._socket.close()
            raise CannotRun(f"cannot listen on {path}: {error.strerror or error}; choose a writable path") from error
        except CannotRun:
            self._socket.close()
            raise

    def _replace(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(self._path)
            except ConnectionRefusedError:
                os.unlink(self._path)
                return
            except BlockingIOError:
                pass  # so many wait for it already that we would have to
        raise CannotRun(f"another server listens on {self._path}; choose another path or end that server")

    def watch(self, loop: Loop, accepted: Callable[[socket.socket], None]) -> None:
        """Hand clients to ``accepted`` as they come, each with a socket that does not block; none once it is closed."""
        if self._socket.fileno() < 0:
            return
        self._loop, self._accepted = loop, accepted
        self._resume()

    def pause(self) -> None:
        """Let clients wait until :meth:`watch` is called again."""
        if self._loop is not None:
            self._loop.forget(self._socket)
            self._loop = None

    def _resume(self) -> None:
        if self._loop is not None:
            self._loop.watch(self._socket, self._accept)

    def _accept(self) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            connection, _ = self._socket.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError:
            # The client stays in the queue, and would be announced for ever.
            loop.forget(self._socket)
            loop.call_at(loop.now() + _PAUSE, self._resume)
            return
        connection.setblocking(False)
        self._accepted(connection)

    def close(self) -> None:
        """Stop listening, and remove the socket file if it is still ours."""
        self.pause()
        self._socket.close()
        with contextlib.suppress(OSError):
            if _identity(self._path) == self._identity:
                os.unlink(self._path)


def _is_socket(path: str) -> bool:
    return os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode)


def _identity(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino
