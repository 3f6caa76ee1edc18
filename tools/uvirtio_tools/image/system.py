"""The first root of an image: a shell, Python as far as it is needed, and the first process, from Debian's unpacked packages."""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from uvirtio.errors import CannotRun

from .bundle import Member, compiled

__all__ = ["PACKAGES", "Files", "base", "python_of", "with_python"]

Files = dict[str, tuple[int, bytes]]

#: What is fetched; of each only what is named below goes in.
PACKAGES = ("busybox-static", "python3-minimal", "libpython3-stdlib", "libudev1")

#: Those that Python, ctypes and pyudev load.
_LIBRARIES = re.compile(r"/(ld-linux[^/]*|lib(c|m|z|expat|ffi|udev|cap|pthread|dl|rt|util)\.so\.[0-9][^/]*)$")

#: Of the standard library: what nothing here imports. Tests hold that all commands can be imported without.
_LEFT_OUT = re.compile(
    r"^(__pycache__|test|idlelib|lib2to3|ensurepip|tkinter|pydoc_data|sqlite3|curses|multiprocessing|distutils|wsgiref|xmlrpc|venv|"
    r"dbm|turtledemo|config-[^/]*|unittest|_pyrepl)/"
    r"|^(pydoc|turtle|doctest|sitecustomize|_sysconfigdata[^/]*|antigravity|this|imaplib|smtpd|smtplib|nntplib|poplib|ftplib|"
    r"telnetlib|mailbox|cgi|cgitb|aifc|sunau|wave|chunk|sndhdr|_pydecimal|_pyio|webbrowser|lzma|bz2|pickletools|trace|pdb)\.py$"
    r"|^encodings/(?!__init__|aliases|utf_8|ascii|latin_1|idna|punycode|utf_16|utf_32|raw_unicode_escape|unicode_escape|hex_codec|cp437)"
    r"|^lib-dynload/(_ssl|_hashlib|_sqlite3|_tkinter|_curses|_lzma|_bz2|_dbm|_gdbm|_crypt|nis|_codecs|_test|_xxtest|readline|"
    r"ossaudiodev|audioop|_multiprocessing|_zoneinfo|xxlimited|_ctypes_test|_interp)"
)
_APPLETS = (
    "sh", "ash", "mount", "umount", "mkdir", "cat", "ls", "ln", "cp", "mv", "rm", "echo", "grep", "sed", "dmesg", "ps", "kill", "modprobe",
    "insmod", "lsmod", "rmmod", "modinfo", "poweroff", "reboot", "halt", "sleep", "stty", "vi", "less", "more", "head", "tail", "hexdump",
    "lspci", "ip", "ping", "free", "top", "find", "sync", "uname", "env", "clear", "reset", "devmem", "setsid", "cttyhack", "wc", "sort", "true",
    "false", "test", "tr", "cut", "date", "uptime", "id", "printf", "tee", "xargs", "df", "od",
)  # fmt: skip

_INIT = b"""\
#!/bin/sh
# The first process of the guest: what Linux shows, then uvirtio, then the end of the machine.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=vt102
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
exec </dev/console >/dev/console 2>&1
modprobe -q virtio_pci
python3 -I -c 'from uvirtio_tools.image.agent import main; raise SystemExit(main())'
status=$?
# Whatever has become of that, the host hears how it ended; the markers are those of frames.py.
case $status in
    100) reboot -f ;;
    101) poweroff -f ;;
    102) halt -f ;;
    *) echo; echo "[uvirtio] over 3"; poweroff -f ;;
esac
# A machine that cannot be switched off stays here.
while true; do sleep 1000; done
"""

#: How a command in the guest asks the host for something (`check --trigger-command`): one line on the console each way.
_ASK = b"""\
#!/bin/sh
if [ "$1" = available ]; then cat /run/uvirtio-events; exit 0; fi
exec <>/dev/console
echo "[uvirtio] event $1 $2" >/dev/console
while read -r -t 60 mark answer name status text; do
    if [ "$mark $answer $name" = "[uvirtio] answer $1" ]; then echo "$text"; exit "$status"; fi
done
echo "the host has not answered within 60 s"
exit 1
"""


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    """Path in the guest -> file: everything lies in /usr, whatever the package says, and the old places lead there."""
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or path.is_file():
            inside = path.relative_to(root).as_posix()
            yield (f"usr/{inside}" if inside.split("/")[0] in ("bin", "sbin", "lib", "lib64") else inside), path


def _file(path: Path, mode: int = 0o644) -> tuple[int, bytes]:
    if path.is_symlink():
        return stat.S_IFLNK | 0o777, str(path.readlink()).encode()
    return stat.S_IFREG | mode, path.read_bytes()


def _text(text: bytes, mode: int = 0o644) -> tuple[int, bytes]:
    return stat.S_IFREG | mode, text


def _link(target: str) -> tuple[int, bytes]:
    return stat.S_IFLNK | 0o777, target.encode()


def python_of(root: Path) -> tuple[int, int]:
    """Major and minor version of the unpacked Python. Raises :class:`CannotRun` where there is none."""
    for path in (root / "usr/bin").glob("python3.*"):
        if match := re.fullmatch(r"python(\d+)\.(\d+)", path.name):
            return int(match[1]), int(match[2])
    raise CannotRun("the packages brought no Python")


def base(root: Path, arch: str) -> Files:
    """Shell, libraries, first process; an answer for who asks where a library is."""
    files: Files = {place: _link(f"usr/{place}") for place in ("bin", "sbin", "lib", "lib64")}
    files["init"] = _text(_INIT, 0o755)
    files["usr/bin/uvirtio-ask"] = _text(_ASK, 0o755)
    files["usr/bin/uvirtio"] = _text(
        b"#!/usr/bin/python3 -I\nfrom uvirtio_tools.entry import main\nraise SystemExit(main())\n", 0o755
    )
    files |= {f"{place}/.keep": _text(b"") for place in ("proc", "sys", "run", "tmp", "root")}
    folder = ""
    for inside, path in _walk(root):
        if inside == "usr/bin/busybox":
            files[inside] = _file(path, 0o755)
        elif inside.startswith(("usr/lib", "usr/lib64")) and _LIBRARIES.search(inside) and "/python" not in inside:
            files[inside] = _file(path, 0o755)
            folder = inside.rpartition("/")[0] if "libudev" in inside else folder
    files |= {f"usr/bin/{applet}": _link("busybox") for applet in _APPLETS}
    kind = "libc6,AArch64" if arch == "aarch64" else "libc6,x86-64"
    asked = f'#!/bin/sh\necho "\tlibudev.so.1 ({kind}) => /{folder}/libudev.so.1"\n'
    files["usr/sbin/ldconfig"] = _text(asked.encode(), 0o755)
    return files


def with_python(root: Path, members: Iterable[Member]) -> Files:
    """Python, what is needed of its library, and these modules, compiled where this Python is of the same version."""
    version = python_of(root)
    name = f"python{version[0]}.{version[1]}"
    same = version == sys.version_info[:2]
    files: Files = {"usr/bin/python3": _link(name)}
    for inside, path in _walk(root):
        if inside == f"usr/bin/{name}":
            files[inside] = _file(path, 0o755)
        elif inside.startswith(f"usr/lib/{name}/"):
            module = inside.removeprefix(f"usr/lib/{name}/")
            if _LEFT_OUT.search(module) or path.is_symlink() or not module.endswith((".py", ".so")):
                continue
            if module.endswith(".so"):
                files[inside] = _file(path)
            else:
                _module(files, Member(inside, path.read_bytes()), same)
    for member in members:
        _module(files, Member(f"usr/lib/python3/dist-packages/{member.path}", member.data), same)
    return files


def _module(files: Files, member: Member, same: bool) -> None:
    if same and member.path.endswith(".py"):
        member = compiled(member)
    files[member.path] = _text(member.data)
