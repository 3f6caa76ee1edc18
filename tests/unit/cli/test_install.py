"""What the Makefile puts into a system beside the Python packages."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLACES = {
    "etc/udev/rules.d/60-uvirtio.rules": "udev/60-uvirtio.rules",
    "usr/local/share/man/man8/uvirtio.8": "docs/man/uvirtio.8",
    "usr/local/share/bash-completion/completions/uvirtio": "docs/completion/uvirtio.bash",
    "usr/local/share/zsh/site-functions/_uvirtio": "docs/completion/_uvirtio",
    "usr/local/share/fish/vendor_completions.d/uvirtio.fish": "docs/completion/uvirtio.fish",
}
#: The same in a wheel, below the prefix of who installs it; what nobody looks for by itself is in share/uvirtio.
IN_WHEEL = {
    "share/man/man8/uvirtio.8", "share/bash-completion/completions/uvirtio.bash", "share/zsh/site-functions/_uvirtio",
    "share/fish/vendor_completions.d/uvirtio.fish", "share/uvirtio/udev/60-uvirtio.rules",
    *(f"share/uvirtio/schemas/{path.name}" for path in (ROOT / "docs" / "schemas").glob("*.json")),
}  # fmt: skip


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_the_udev_rule_the_manual_page_and_the_completions_go_where_they_are_looked_for(tmp_path: Path) -> None:
    subprocess.run(["make", "-s", "install-system", f"DESTDIR={tmp_path}"], cwd=ROOT, check=True, timeout=60)
    installed = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert installed == set(PLACES)
    for place, source in PLACES.items():
        assert (tmp_path / place).read_bytes() == (ROOT / source).read_bytes()
        assert (tmp_path / place).stat().st_mode & 0o777 == 0o644
    subprocess.run(["make", "-s", "uninstall-system", f"DESTDIR={tmp_path}"], cwd=ROOT, check=True, timeout=60)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_udev_reads_its_rules_again_where_it_runs(tmp_path: Path) -> None:
    udevadm = tmp_path / "udevadm"
    udevadm.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path / "said"}\n')
    udevadm.chmod(0o755)
    places = [f"PREFIX={tmp_path}/prefix", f"UDEVDIR={tmp_path}/rules", f"UDEVADM={udevadm}"]
    for target in ("install-system", "uninstall-system"):
        subprocess.run(["make", "-s", target, *places], cwd=ROOT, check=True, timeout=60)
    assert (tmp_path / "said").read_text().splitlines() == [
        "control --reload", "trigger --subsystem-match=uio", "control --reload", "trigger --subsystem-match=uio",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that has what builds the package."""
    place = tmp_path_factory.mktemp("built")
    venv.create(place, with_pip=True)
    found = place / "bin" / "python"
    _pip(found, "install", "setuptools>=77")
    return found


def _pip(python: Path, verb: str, *words: str) -> None:
    command = [python, "-m", "pip", verb, "--quiet", "--disable-pip-version-check", "--no-deps", *words]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=110)


def test_a_wheel_has_what_man_the_shells_and_udev_look_for(python: Path, tmp_path: Path) -> None:
    _pip(python, "wheel", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT))
    (wheel,) = tmp_path.glob("uvirtio-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        about = archive.read(next(name for name in names if name.endswith(".dist-info/METADATA"))).decode()
    assert {name.split(".data/data/")[1] for name in names if ".data/data/" in name} == IN_WHEEL
    packages = {name.split("/")[0] for name in names if "uvirtio-" not in name}
    assert packages == {"uvirtio", "uvirtio_drivers", "uvirtio_tools"}
    page = about.partition("\n\n")[2]
    assert "$ uvirtio suspend emulated:rng" in page
    assert not re.findall(r"\]\((?!https?:|#)", page)  # nothing leads to where PyPI has nothing


def test_an_editable_install_is_seen_by_mypy_and_shows_nothing_else_of_the_checkout(
    python: Path, tmp_path: Path
) -> None:
    _pip(python, "install", "--no-build-isolation", "--editable", str(ROOT))
    used = tmp_path / "used.py"
    used.write_text("import uvirtio\nwith uvirtio.open('emulated:rng') as device:\n    device.nothing_of_this_name\n")
    mypy = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--python-executable",
        python,
        "--cache-dir",
        tmp_path / "cache",
        used,
    ]
    said = subprocess.run(mypy, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=110).stdout
    assert '"OpenDevice" has no attribute "nothing_of_this_name"' in said
    assert "import-untyped" not in said
    done = subprocess.run(
        [python, "-c", "import tests"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert "No module named 'tests'" in done.stderr
