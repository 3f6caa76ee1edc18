"""What bash and zsh make of the completions: lines are typed at a terminal, and Tab is pressed."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from uvirtio.spec.statements import STATEMENTS
from uvirtio_tools.cli import COMMANDS
from uvirtio_tools.commands.table import commands

COMPLETIONS = Path(__file__).parents[3] / "docs" / "completion"

#: At Tab both write what is offered; at Ctrl-T the line as it is then, and a mark behind what was offered; at Ctrl-Y they end.
_BASH = r"""
PS1=; set +o history; bind 'set enable-bracketed-paste off'
. "$COMPLETIONS/uvirtio.bash"
_uvirtio_functions() { printf '%s\n' 0000:00:05.0 0000:00:06.0; }
offer() { _uvirtio; printf '%s\n' "${COMPREPLY[@]}" >>"$OFFERED"; }
complete -F offer uvirtio
finish() { printf '%s\n' "$READLINE_LINE" >>"$LINES_SEEN"; echo END >>"$OFFERED"; READLINE_LINE=; }
bind -x '"\C-t": finish'
bind -x '"\C-y": exit'
echo READY
"""
_ZSH = r"""
PS1=
fpath=($COMPLETIONS $fpath)
autoload -Uz compinit
compinit -u -D
autoload +X _uvirtio
zstyle ':completion:*' insert-tab false  # also with keys typed ahead
compadd() {
    # With -O, -A or -D nothing is offered yet: completion functions look by that what would match.
    local -a offered
    if [[ "${(j: :)@}" != *-[OAD]\ * ]]; then
        builtin compadd -O offered "$@"
        print -rl -- $offered >>$OFFERED
    fi
    builtin compadd "$@"
}
finish() { print -r -- $BUFFER >>$LINES_SEEN; print END >>$OFFERED; BUFFER= }
zle -N finish
quit() { exit }
zle -N quit
bindkey '^I' complete-word '^T' finish '^Y' quit
echo READY
"""


class Completed(NamedTuple):
    """The line after Tab, and everything that was offered for its last word."""

    line: str
    offered: set[str]


def _type(shell: str, lines: Iterable[str], folder: Path) -> list[Completed]:
    """Type each line and Tab, in one shell."""
    names = {"bash": ("rc", _BASH), "zsh": (".zshrc", _ZSH)}
    name, script = names[shell]
    (folder / name).write_text(script)
    command = {"bash": ["bash", "--noprofile", "--rcfile", str(folder / name), "-i"], "zsh": ["zsh", "-d", "-i"]}[shell]
    seen, offered = folder / "lines", folder / "offered"
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb", "LINES": "200", "COLUMNS": "200",
        "ZDOTDIR": str(folder), "COMPLETIONS": str(COMPLETIONS), "OFFERED": str(offered), "LINES_SEEN": str(seen),
    }  # fmt: skip
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=folder, start_new_session=True
    )
    os.close(theirs)
    said = b""
    try:
        while b"READY" not in said:
            said += _read(ours)
        os.write(ours, "".join(f"{line}\t\x14" for line in lines).encode() + b"\x19")
        while more := _read(ours):
            said += more
    finally:
        os.close(ours)
        process.kill()
        process.wait()
    assert seen.exists(), said.decode(errors="replace")
    rounds = offered.read_text().split("END\n")
    return [
        Completed(line, set(words.split())) for line, words in zip(seen.read_text().splitlines(), rounds, strict=False)
    ]


def _read(terminal: int) -> bytes:
    """What the shell writes, or nothing once it has ended."""
    assert select.select([terminal], [], [], 30)[0], "the shell fell silent"
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


@pytest.fixture(params=["bash", "zsh"])
def shell(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return name


LINES = {
    "uvirtio sus": "uvirtio suspend",
    "uvirtio suspend --dial": "uvirtio suspend --dialect",
    "uvirtio suspend --dialect ch": "uvirtio suspend --dialect chromium",
    "uvirtio suspend --dialect=ch": "uvirtio suspend --dialect=chromium",
    "uvirtio suspend emulated:r": "uvirtio suspend emulated:rng",
    "uvirtio check emulated:rng --trace /et": "uvirtio check emulated:rng --trace /etc/",
    "uvirtio check --only V1 --only V16": "uvirtio check --only V1 --only V16",
    "uvirtio check --only V1 --onl": "uvirtio check --only V1 --only",
    "uvirtio dump emulated:rng qemu:bl": "uvirtio dump emulated:rng qemu:blk",
    "uvirtio bench ri": "uvirtio bench ring",
    "uvirtio serve bal": "uvirtio serve balloon",
    "uvirtio serve --profile cr": "uvirtio serve --profile crosvm",
    "uvirtio diff /et": "uvirtio diff /etc/",
    "uvirtio suspend --timeout ": "uvirtio suspend --timeout",
    "uvirtio show emulated:rng --intr": "uvirtio show emulated:rng --intrusive",
}


def test_tab_completes_the_line(shell: str, tmp_path: Path) -> None:
    completed = _type(shell, LINES, tmp_path)
    # Whether = or a space follows an option that takes a value is the shell's own business.
    assert [row.line.rstrip("= ") for row in completed] == list(LINES.values())


def test_tab_offers_every_command_and_every_option(shell: str, tmp_path: Path) -> None:
    table = list(commands())
    first, *rest = _type(shell, ["uvirtio ", *(f"uvirtio {command.name} --" for command in table)], tmp_path)
    assert first.offered >= set(COMMANDS)
    for command, row in zip(table, rest, strict=True):
        long = {flag for option in command.options for flag in option.flags if flag.startswith("--")}
        assert {word.rstrip("=") for word in row.offered} == long | {"--help"}, command.name


def test_tab_offers_devices_ids_and_words_where_they_belong(shell: str, tmp_path: Path) -> None:
    lines = ["uvirtio suspend ", "uvirtio bind ", "uvirtio check --only ", "uvirtio suspend --workload "]
    anywhere, here, ids, words = (row.offered for row in _type(shell, lines, tmp_path))
    assert {"emulated:rng", "emulated:balloon", "qemu:blk"} <= anywhere
    assert here <= anywhere
    assert not any("emulated" in word or "qemu" in word for word in here)
    assert ids == set(STATEMENTS)
    assert words == {"auto", "none"}
