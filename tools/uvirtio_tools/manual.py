"""The manual page, the reference of commands, the shell completions and schemas, made from the program itself.

``python -m uvirtio_tools.manual DIRECTORY`` writes ``man/uvirtio.8``, ``completion/uvirtio.bash``, ``completion/_uvirtio``,
``schemas/device.schema.json``, ``schemas/snapshot.schema.json`` and the parts of ``reference.md`` between marks. A test holds the files against what this makes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uvirtio import __version__
from uvirtio.bus.locator import GRAMMAR

from .cli import COMMANDS, build_parser
from .inspect.schema import device_schema, snapshot_schema
from .manual_devices import emulated_devices

__all__ = ["PARTS", "bash_completion", "commands", "files", "main", "man_page", "reference", "zsh_completion"]

#: What stands in the reference between two marks, by its origin.
PARTS = ("parser", "emulated devices")

_STATUS = (
    ("0", "it holds (also: a check that was refused conformingly, and doctor with findings)"),
    ("1", "a verdict failed, a suspend did not come about, the device went away, a check broke"),
    (
        "2",
        "the request cannot be understood, or names a file that cannot be read or opened for writing; a snapshot or result "
        "that is damaged or newer",
    ),
    (
        "3",
        "cannot run here: not root, no such device, busy, a module missing, a terminal unfit, a disk full; the message says "
        "what to do",
    ),
    ("4", "the device does not offer SUSPEND in this dialect, so there was nothing to judge"),
    ("130", "interrupted, after cleaning up; also when nobody reads on what is printed"),
)
_FILES = (
    ("/run/uvirtio/", "journals of what has to be undone, and a lock for each function; gone after a reboot"),
    ("/sys/bus/pci/devices/", "what is known of a device that a kernel driver holds"),
    ("/usr/share/misc/pci.ids", "names of devices, where it is installed"),
)
_ENVIRONMENT = (
    ("UVIRTIO_QEMU", "the QEMU that qemu: locators start"),
    ("NO_COLOR", "no colours"),
    ("COLUMNS", "width of tables"),
)
_EXAMPLES = (
    ("uvirtio list", "which virtio devices there are, and what uses them"),
    ("uvirtio show 00:05.0", "everything that one of them says"),
    ("uvirtio suspend 00:05.0 --cycles 100", "suspend and resume it under load, and prove that nothing was lost"),
    ("uvirtio check 00:05.0 --format junit -o result.xml", "a verdict for every statement, for a test system"),
    ("uvirtio dump 00:05.0 -o before.json", "a snapshot, for a bug report or for uvirtio diff"),
    ("uvirtio suspend 'emulated:rng?fault=V4'", "a software device that breaks one statement; needs no root"),
)


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a command, or with no ``flags`` one of its arguments."""

    flags: tuple[str, ...]
    value: str
    help: str
    choices: tuple[str, ...]
    repeats: bool

    @property
    def usage(self) -> str:
        """``--cycles N``, ``-o FILE, --output FILE``, ``LOCATOR``."""
        if not self.flags:
            return self.value
        return ", ".join(f"{flag} {self.value}".strip() for flag in self.flags)


@dataclass(frozen=True, slots=True)
class Command:
    """A command with what it takes."""

    name: str
    help: str
    usage: str
    options: tuple[Option, ...]
    arguments: tuple[Option, ...]


def commands() -> Iterator[Command]:
    """Every command, in the order of the help."""
    parser = build_parser(None)
    action = next(entry for entry in parser._actions if isinstance(entry, argparse._SubParsersAction))
    for name in COMMANDS:
        sub = action.choices[name]
        found = [_option(entry) for entry in sub._actions if entry.dest != "help" and entry.help != argparse.SUPPRESS]
        yield Command(
            name,
            COMMANDS[name][1],
            " ".join(sub.format_usage().removeprefix("usage: ").split()),
            tuple(option for option in found if option.flags),
            tuple(option for option in found if not option.flags),
        )


def _option(action: argparse.Action) -> Option:
    takes = action.nargs != 0
    name = action.metavar or (None if action.choices else action.dest.upper())
    choices = tuple(str(choice) for choice in action.choices or ())
    value = (str(name) if name else "{" + ",".join(choices) + "}") if takes else ""
    text = (action.help or "") % {"default": action.default, "prog": "uvirtio"}
    return Option(tuple(action.option_strings), value, text, choices, action.nargs in ("*", "+"))


# -- manual page -------------------------------------------------------------------------------------------------------


def _roff(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def man_page() -> str:
    """``uvirtio(8)``."""
    lines = [
        f'.TH UVIRTIO 8 "" "uvirtio {__version__}" "System Administration"',
        ".SH NAME",
        "uvirtio \\- see virtio\\-PCI devices, drive them, and judge their suspend and resume",
        ".SH SYNOPSIS",
        ".B uvirtio",
        ".I COMMAND",
        "[\\fIOPTIONS\\fR]",
        ".SH DESCRIPTION",
        "uvirtio drives virtio\\-PCI devices from userspace through uio_pci_generic. It shows everything that a device says,",
        "drives it through virtqueues of its own, and judges by what rings, buffers and interrupts do whether the device",
        "suspends and resumes as virtio 1.4 demands (status bit SUSPEND, feature bit 43), or as the drafts before it do.",
        ".PP",
        "A real device is taken from its kernel driver while a command drives it, and given back at the end, whatever",
        "happens. A device that is in use is refused without \\-\\-force. A device that is only looked at is not disturbed.",
        ".SH LOCATORS",
        ".nf",
        *_roff(GRAMMAR).splitlines(),
        ".fi",
        ".SH COMMANDS",
    ]
    for command in commands():
        lines += [f".SS {_roff(command.usage)}", _roff(command.help[0].upper() + command.help[1:]) + "."]
        for option in (*command.arguments, *command.options):
            lines += [".TP", f".B {_roff(option.usage)}", _roff(option.help)]
    for title, rows in (
        ("EXIT STATUS", _STATUS),
        ("FILES", _FILES),
        ("ENVIRONMENT", _ENVIRONMENT),
        ("EXAMPLES", _EXAMPLES),
    ):
        lines.append(f".SH {title}")
        for name, text in rows:
            lines += [".TP", f".B {_roff(name)}", _roff(text)]
    lines += [".SH SEE ALSO", ".BR lspci (8),", ".BR driverctl (8),", ".BR setpci (8)"]
    return "\n".join(lines) + "\n"


# -- reference ---------------------------------------------------------------------------------------------------------


def reference() -> str:
    """The commands as Markdown."""
    lines = []
    for command in commands():
        lines += [f"### uvirtio {command.name}", "", command.help[0].upper() + command.help[1:] + ".", ""]
        lines += ["```", command.usage, "```", ""]
        rows = [*command.arguments, *command.options]
        lines += ["| argument | meaning |", "|---|---|"]
        for option in rows:
            usage = option.usage.replace("|", "\\|")
            lines.append(f"| `{usage}` | {option.help.replace('|', chr(92) + '|')} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


# -- completion --------------------------------------------------------------------------------------------------------


def bash_completion() -> str:
    """A completion for bash: commands, options, choices, files, and devices from sysfs."""
    cases, values = [], []
    for command in commands():
        flags = [flag for option in command.options for flag in option.flags]
        cases.append(f'        {command.name}) words="{" ".join([*flags, "--help"])}" ;;')
        for option in command.options:
            if option.choices:
                pattern = "|".join(f"{command.name}:{flag}" for flag in option.flags)
                values.append(
                    f'        {pattern}) COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$cur")); return ;;'
                )
    return f"""# bash completion for uvirtio
_uvirtio_devices() {{
    local path
    for path in /sys/bus/pci/devices/*; do
        [ "$(cat "$path/vendor" 2>/dev/null)" = 0x1af4 ] && basename "$path"
    done
    echo emulated:rng emulated:blk emulated:net emulated:console emulated:balloon emulated:input qemu:rng qemu:blk qemu:net
}}

_uvirtio() {{
    local cur prev command words i
    # A locator has colons, at which bash would split it.
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref -n : cur prev
    else
        cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}"
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${{COMP_WORDS[i]}}" in
            {"|".join(COMMANDS)}) command="${{COMP_WORDS[i]}}"; break ;;
        esac
    done
    if [ -z "$command" ]; then
        COMPREPLY=($(compgen -W "{" ".join(COMMANDS)} --help --version" -- "$cur"))
        return
    fi
    case "$command:$prev" in
{chr(10).join(values)}
        *:--from|*:--output|*:-o|*:--trace|*:--socket|*:--log|*:--control|*:--baseline)
            COMPREPLY=($(compgen -f -- "$cur")); return ;;
    esac
    case "$command" in
{chr(10).join(cases)}
    esac
    if [[ "$cur" == -* ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
    elif [[ "$command" == diff || "$command" == report ]]; then
        COMPREPLY=($(compgen -f -- "$cur"))
    else
        COMPREPLY=($(compgen -W "$(_uvirtio_devices)" -- "$cur"))
        declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions "$cur"
    fi
}}
complete -F _uvirtio uvirtio
"""


def _zsh(text: str) -> str:
    """A description inside of single quotes and brackets."""
    return re.sub(r"([\[\]:\\])", r"\\\1", text).replace("'", "'\\''")


def zsh_completion() -> str:
    """A completion for zsh."""
    described = "\n".join(f"        '{command.name}:{_zsh(command.help)}'" for command in commands())
    cases = []
    for command in commands():
        specs = []
        for option in command.options:
            for flag in option.flags:
                action = ""
                if option.value:
                    kind = f"({' '.join(option.choices)})" if option.choices else _zsh_action(option.value)
                    action = f":{_zsh(option.value.strip('{}'))}:{kind}"
                specs.append(f"'{flag}[{_zsh(option.help)}]{action}'")
        for argument in command.arguments:
            kind = f"({' '.join(argument.choices)})" if argument.choices else _zsh_action(argument.value)
            specs.append(f"'{'*' if argument.repeats else ''}:{_zsh(argument.value.strip('{}').lower())}:{kind}'")
        body = " \\\n                ".join(specs)
        cases.append(f"            {command.name}) _arguments \\\n                {body} ;;")
    return f"""#compdef uvirtio
# zsh completion for uvirtio
_uvirtio_devices() {{
    local -a devices
    local directory
    for directory in /sys/bus/pci/devices/*(N); do
        [[ "$(<$directory/vendor)" == 0x1af4 ]] && devices+=("${{directory:t}}")
    done
    devices+=(emulated:{{rng,blk,net,console,balloon,input}} qemu:{{rng,blk,net}})
    compadd -a devices
}}

_uvirtio() {{
    local -a described
    described=(
{described}
    )
    _arguments -C '--version[the version]' '--help[a help text]' '1:command:->command' '*::argument:->argument'
    case $state in
        command) _describe command described ;;
        argument)
            case $words[1] in
{chr(10).join(cases)}
            esac ;;
    esac
}}

_uvirtio "$@"
"""


def _zsh_action(value: str) -> str:
    if value in ("LOCATOR", "DEVICE"):
        return "_uvirtio_devices"
    if value in ("FILE", "PATH", "A", "B", "RESULT"):
        return "_files"
    return " "


# -- files -------------------------------------------------------------------------------------------------------------


def files(directory: Path) -> dict[Path, str]:
    """Every file below ``directory`` with what it should hold. The width of the terminal does not matter."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "1000"
    try:
        page = directory / "reference.md"
        text = page.read_text(encoding="utf-8")
        for origin, made in zip(PARTS, (reference(), emulated_devices()), strict=True):
            begin, end = (f"<!-- made from the {origin}: {word} -->" for word in ("begin", "end"))
            head, _, rest = text.partition(begin)
            _, _, tail = rest.partition(end)
            text = f"{head}{begin}\n\n{made}\n{end}{tail}"
        return {
            directory / "man/uvirtio.8": man_page(),
            directory / "completion/uvirtio.bash": bash_completion(),
            directory / "completion/_uvirtio": zsh_completion(),
            directory / "schemas/device.schema.json": json.dumps(device_schema(), indent=1) + "\n",
            directory / "schemas/snapshot.schema.json": json.dumps(snapshot_schema(), indent=1) + "\n",
            page: text,
        }
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def main() -> int:
    """Write the files into the directory that is named."""
    parser = argparse.ArgumentParser(
        prog="uvirtio-manual", description="Write the manual page, reference and completions."
    )
    parser.add_argument("directory", type=Path)
    for path, text in files(parser.parse_args().directory).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
