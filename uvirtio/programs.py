"""Programs that are started: where they are looked up, what they may take from the world around them, how they ended.

Root runs this in directories that anybody can write to. So nothing is looked up relative to the current directory, neither
a program nor a module that a Python child imports, and a child inherits no variable that changes what Python imports.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys

__all__ = ["environment", "find", "python_code", "python_module", "signal_name"]

#: Where the system's own programs are, also those for root, which not every PATH has.
_SYSTEM = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
#: First in each child: Ctrl-C reaches it from the terminal as well, and it has nothing to say about that.
_QUIET = """import _signal, posix
for each in (1, 2, 15):
    if _signal.getsignal(each) != _signal.SIG_IGN: _signal.signal(each, lambda *_: posix._exit(130))
"""
#: Sets the path of a child that was started in isolation, then runs a module of it as ``python -m`` does.
_RUN_MODULE = (
    _QUIET + "import runpy, sys; sys.path[:] = {path!r}; "
    "runpy.run_module({name!r}, run_name='__main__', alter_sys=True)"
)


def find(name: str, *, system: bool = False) -> str | None:
    """The absolute path of a program, None where it is not installed. Only absolute entries of PATH count.

    ``system``: one of the system's own, which may stand where PATH does not lead.
    """
    entries = [entry for entry in os.environ.get("PATH", "").split(os.pathsep) if os.path.isabs(entry)]
    found = shutil.which(name, path=os.pathsep.join([*entries, *(_SYSTEM if system else ())]))
    return os.path.abspath(found) if found else None


def python_code(code: str, *words: str) -> list[str]:
    """A command that runs ``code`` in a Python of its own, with the standard library and nothing else."""
    return [sys.executable, "-ISc", _QUIET + code, *words]


def python_module(name: str, *words: str) -> list[str]:
    """A command that runs a module, imported from where this process imports, but never from the current directory."""
    return [sys.executable, "-Ic", _RUN_MODULE.format(path=_import_path(), name=name), *words]


def environment(**changes: str) -> dict[str, str]:
    """The environment of a child: this process's, less what steers Python, with absolute entries of PATH alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    entries = [entry for entry in kept.get("PATH", "").split(os.pathsep) if os.path.isabs(entry)]
    return kept | {"PATH": os.pathsep.join(entries or _SYSTEM)} | changes


def signal_name(number: int) -> str:
    """What a signal is called: ``SIGKILL``, ``SIGRTMIN+6``, ``signal 99`` where it has no name here."""
    try:
        return signal.Signals(number).name
    except ValueError:
        if signal.SIGRTMIN < number < signal.SIGRTMAX:
            return f"SIGRTMIN+{number - signal.SIGRTMIN}"
        return f"signal {number}"


def _import_path() -> list[str]:
    """The absolute entries of ``sys.path``, less the current directory; our own packages' folders in any case."""
    rooms = []
    for name in ("uvirtio", "uvirtio_drivers", "uvirtio_tools"):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None:
            rooms.append(os.path.dirname(os.path.dirname(os.path.realpath(file))))
    try:
        here = os.getcwd()
    except FileNotFoundError:
        here = ""
    kept = [
        entry
        for entry in sys.path
        if os.path.isabs(entry) and (os.path.realpath(entry) != here or os.path.realpath(entry) in rooms)
    ]
    return list(dict.fromkeys([*(room for room in rooms if room not in kept), *kept]))
