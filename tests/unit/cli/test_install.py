"""What the Makefile puts into a system beside the Python packages."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLACES = {
    "etc/udev/rules.d/60-uvirtio.rules": "udev/60-uvirtio.rules",
    "usr/local/share/man/man8/uvirtio.8": "docs/man/uvirtio.8",
    "usr/local/share/bash-completion/completions/uvirtio": "docs/completion/uvirtio.bash",
    "usr/local/share/zsh/site-functions/_uvirtio": "docs/completion/_uvirtio",
}


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_the_udev_rule_the_manual_page_and_the_completions_go_where_they_are_looked_for(tmp_path: Path) -> None:
    subprocess.run(["make", "-s", "install-system", f"DESTDIR={tmp_path}"], cwd=ROOT, check=True, timeout=60)
    installed = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert installed == set(PLACES)
    for place, source in PLACES.items():
        assert (tmp_path / place).read_bytes() == (ROOT / source).read_bytes()
        assert (tmp_path / place).stat().st_mode & 0o777 == 0o644
