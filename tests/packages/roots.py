"""The package and the one file in clean roots of Debian: ``python -m tests.packages.roots [bookworm] [trixie]``.

Needs mmdebstrap, and the mirror of this machine's own configuration. A root is there for as long as it is tried.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from release import deb, pyz
from tests.packages.oldest import MAPS_REGISTERS
from uvirtio_tools.image.apt import own_mirrors

__all__ = ["main", "try_in"]

_SCRIPT = Path(__file__).with_name("in_root.sh")
_RELEASES = ("bookworm", "trixie")


def try_in(release: str, files: Path) -> int:
    """Make a root of this release, and run the script in it with what lies in ``files``; its status. Prints what holds."""
    mirror = own_mirrors()[0].at(release)
    command = [
        "mmdebstrap", "--variant=minbase", "--quiet", f"--keyring={','.join(mirror.rings)}",
        '--customize-hook=mkdir -p "$1/tmp/uvirtio-release"',
        *(f"--customize-hook=copy-in {file} /tmp/uvirtio-release" for file in sorted(files.iterdir())),
        '--customize-hook=chroot "$1" bash /tmp/uvirtio-release/in_root.sh >&2',
        "--format=null", release, "-", mirror.uri,
    ]  # fmt: skip
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False).returncode


def main(words: list[str]) -> int:
    """Try each release; 0 where all holds."""
    if shutil.which("mmdebstrap") is None:
        print("there is no mmdebstrap: apt-get install mmdebstrap", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory(prefix="uvirtio-release-") as folder:
        files = Path(folder)
        pyz.write(files / "uvirtio.pyz")
        deb.write(files)
        shutil.copy(_SCRIPT, files)
        (files / "registers.py").write_text(MAPS_REGISTERS)
        for release in words or _RELEASES:
            print(f"Debian {release}", file=sys.stderr, flush=True)
            if try_in(release, files):
                print(f"Debian {release}: something does not hold", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
