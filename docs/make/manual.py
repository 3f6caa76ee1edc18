"""The manual page, the reference of commands, the shell completions and schemas, made from the program itself.

``python -m docs.make.manual DIRECTORY`` writes ``man/uvirtio.8``, ``completion/uvirtio.bash``, ``completion/_uvirtio``, ``completion/uvirtio.fish``, ``pypi.md``,
``schemas/device.schema.json``, ``schemas/snapshot.schema.json`` and the parts of ``reference.md`` between marks. A test holds the files against what this makes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path

from docs.make.manual_devices import emulated_devices
from docs.make.pypi import readme
from uvirtio import __version__
from uvirtio.bus.locator import GRAMMAR
from uvirtio_tools.commands.shells import bash_completion, fish_completion, zsh_completion
from uvirtio_tools.commands.table import commands
from uvirtio_tools.inspect.schema import device_schema, snapshot_schema

__all__ = ["PARTS", "files", "main", "man_page", "reference"]

#: What stands in the reference between two marks, by its origin.
PARTS = ("parser", "emulated devices")

_STATUS = (
    ("0", "it holds, or the verdict is WARN (also: a check that was refused conformingly, and doctor with findings)"),
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
    (
        "4",
        "nothing was judged: the device does not offer SUSPEND in this dialect, and nothing else that was asked for binds it",
    ),
    ("130", "interrupted, after cleaning up; also when nobody reads on what is printed"),
)
_FILES = (
    ("/run/uvirtio/", "journals of what has to be undone, and a lock for each function; gone after a reboot"),
    ("/sys/bus/pci/devices/", "what is known of a device that a kernel driver holds"),
    ("/usr/share/misc/pci.ids", "names of devices, where it is installed"),
)
_ENVIRONMENT = (
    ("UVIRTIO_QEMU", "the QEMU that qemu: locators and boot start"),
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
            directory / "completion/uvirtio.fish": fish_completion(),
            directory / "pypi.md": readme(),
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
        prog="python -m docs.make.manual", description="Write the manual page, reference and completions."
    )
    parser.add_argument("directory", type=Path)
    for path, text in files(parser.parse_args().directory).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
