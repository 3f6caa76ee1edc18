"""Triggers through a command that the user names: for a guest, whose host side is out of reach otherwise."""

from __future__ import annotations

import json
import shlex
import subprocess

from uvirtio.errors import CannotRun, UsageError

__all__ = ["CommandTriggers", "run_shell"]

#: What is assumed to be there when the command does not tell.
_USUAL = frozenset({"change_config"})


def run_shell(line: str, timeout: float) -> str:
    """What a line of the shell prints. Raises :class:`CannotRun` when it fails, or does not end in time."""
    try:
        done = subprocess.run(
            line, shell=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
        )
    except subprocess.TimeoutExpired as error:
        raise CannotRun(f"the trigger command did not end within {timeout:g} s: {line}") from error
    except OSError as error:
        raise CannotRun(f"the trigger command could not be run: {error}: {line}") from error
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip() or "it said nothing"
        raise CannotRun(f"the trigger command ended with status {done.returncode}: {line}: {said}")
    return done.stdout


class CommandTriggers:
    """Runs ``command NAME JSON`` by the shell; status 0 is done, anything else is "cannot".

    Asked for ``available``, the command may print the names that it knows, separated by white space. ``delay`` comes with
    ``{"seconds": S}``, and at the end with ``{"seconds": null}``: as when the device was started. Raises
    :class:`UsageError` for an empty command.
    """

    def __init__(self, command: str, timeout: float = 10.0) -> None:
        if not command.strip():
            raise UsageError("the trigger command is empty; name one, or leave the option out to ask the bus itself")
        self._command = command
        self._timeout = timeout
        self._known: frozenset[str] | None = None

    def _run(self, name: str, arguments: dict[str, object]) -> str:
        line = f"{self._command} {shlex.quote(name)} {shlex.quote(json.dumps(arguments))}"
        return run_shell(line, self._timeout)

    def available(self) -> frozenset[str]:
        """What the command says that it knows; ``change_config`` when it does not say."""
        if self._known is None:
            try:
                self._known = frozenset(self._run("available", {}).split()) or _USUAL
            except CannotRun:
                self._known = _USUAL
        return self._known

    def fire(self, name: str, **arguments: object) -> None:
        """Run it. Raises :class:`CannotRun` with what the command said."""
        self._run(name, arguments)
