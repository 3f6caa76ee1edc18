"""The tests that need no guest, with the Python of other releases of Debian: ``python -m tests.packages.pythons [trixie] [sid]``.

Each runs in a root of its own that mmdebstrap makes, on a copy of this checkout, with packages of the Python registry. Needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from uvirtio_tools.image.apt import own_mirrors

__all__ = ["main", "try_in"]

ROOT = Path(__file__).parents[2]
#: Debian 13 has 3.13; what comes after it has the newest.
_RELEASES = ("trixie", "sid")
_PACKAGES = "python3-venv,make,ca-certificates,kmod,udev,procps,iproute2,busybox-static,zstd,git,groff-base,man-db,tmux,linux-libc-dev"
_TESTS = "tests/unit tests/emulated tests/outside tests/specification tests/packages/test_pyz.py"
#: What pip is told by this machine goes with it, so that it reaches the same registry.
_PIP = (
    "PIP_CERT",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "HTTPS_PROXY",
    "https_proxy",
    "SSL_CERT_FILE",
)

_SCRIPT = """\
set -e
cd "$(dirname "$0")/checkout"
python3 --version
python3 -m venv ../venv
../venv/bin/pip install --quiet --disable-pip-version-check --editable '.[tui,test]'
exec ../venv/bin/python -m pytest -q -p no:cacheprovider -n 2 {tests}
"""


def try_in(release: str, tests: str) -> int:
    """The status of pytest in a root of this release."""
    mirror = own_mirrors()[0].at(release)
    told = [f"{name}={os.environ[name]}" for name in _PIP if name in os.environ]
    with tempfile.TemporaryDirectory(prefix="uvirtio-pythons-") as folder:
        files = Path(folder)
        checkout = files / "checkout"
        checkout.mkdir()
        archive = subprocess.run(["git", "-C", ROOT, "archive", "HEAD"], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", checkout], input=archive, check=True)
        (files / "run.sh").write_text(_SCRIPT.format(tests=tests or _TESTS))
        certificates = Path("/etc/ssl/certs/ca-certificates.crt")
        if certificates.exists():
            shutil.copy(certificates, files)
        command = [
            "mmdebstrap", "--variant=minbase", "--quiet", f"--include={_PACKAGES}", f"--keyring={','.join(mirror.rings)}",
            f"--customize-hook=copy-in {checkout} {files / 'run.sh'} /srv",
            *([f"--customize-hook=copy-in {files / certificates.name} /etc/ssl/certs"] if certificates.exists() else []),
            '--customize-hook=mount -t tmpfs tmpfs "$1/tmp"', '--customize-hook=mount --rbind /dev "$1/dev" || true',
            f'--customize-hook=env {" ".join(told)} chroot "$1" bash /srv/run.sh >&2',
            "--mode=root", "--format=null", release, "-", mirror.uri,
        ]  # fmt: skip
        # Its mounts are its own, and go with it.
        unshare = ["unshare", "--mount", "--propagation", "slave"]
        return subprocess.run(
            [*unshare, *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False
        ).returncode


def main(words: list[str]) -> int:
    """Try each release; what follows ``--`` is what pytest is told in the place of all tests. 0 where all passed."""
    end = words.index("--") if "--" in words else len(words)
    for release in words[:end] or _RELEASES:
        print(f"Debian {release}", file=sys.stderr, flush=True)
        if try_in(release, " ".join(words[end + 1 :])):
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
