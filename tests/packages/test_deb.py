"""The Debian package: what is in it, and that it asks for no more than Debian 12 has."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from release import deb
from uvirtio_tools.commands.shells import fish_completion

pytestmark = pytest.mark.needs("apt")

#: What Debian 12 has of each.
BOOKWORM = {"python3": "3.11", "python3-rich": "13.3", "python3-pyudev": "0.24", "python3-periphery": "2.3"}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deb")
    assert deb.main([str(folder)]) == 0
    return next(folder.glob("uvirtio_*_all.deb"))


@pytest.fixture(scope="module")
def root(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    subprocess.run(["dpkg-deb", "-R", package, folder], check=True)
    return folder


def test_it_has_the_manual_page_the_completions_and_the_udev_rule(root: Path) -> None:
    for place in (
        "usr/share/man/man8/uvirtio.8.gz",
        "usr/share/bash-completion/completions/uvirtio",
        "usr/share/zsh/vendor-completions/_uvirtio",
        "usr/lib/udev/rules.d/60-uvirtio.rules",
        "usr/share/doc/uvirtio/copyright",
    ):
        assert (root / place).stat().st_size, place
    assert (root / "usr/share/fish/vendor_completions.d/uvirtio.fish").read_text() == fish_completion()


def test_its_modules_are_those_of_this_checkout(root: Path) -> None:
    place = root / "usr/lib/python3/dist-packages"
    there = {path.relative_to(place).as_posix() for path in place.rglob("*.py")}
    for package, folder in (("uvirtio", "uvirtio"), ("uvirtio_drivers", "drivers/uvirtio_drivers")):
        ours = {f"{package}/{path.relative_to(deb.ROOT / folder)}" for path in (deb.ROOT / folder).rglob("*.py")}
        assert ours <= there
    assert not list(root.rglob("*.pyc"))


def test_root_runs_it_in_isolation(root: Path) -> None:
    program = root / "usr/bin/uvirtio"
    assert program.read_text().startswith("#!/usr/bin/python3 -I\n")
    assert program.stat().st_mode & 0o777 == 0o755


def test_it_asks_for_what_the_project_asks_for_and_debian_12_has_that(root: Path) -> None:
    control = (root / "DEBIAN/control").read_text()
    asked = dict(re.findall(r"(python3[-a-z]*) \(>= ([0-9.]+)\)", control))
    assert asked == BOOKWORM
    project = tomllib.loads((deb.ROOT / "pyproject.toml").read_text())["project"]
    bounds = dict(each.split(">=") for each in project["dependencies"])
    assert bounds.pop("rich-argparse")
    assert {f"python3-{name.removeprefix('python-')}": bound for name, bound in bounds.items()} | {
        "python3": project["requires-python"].removeprefix(">=")
    } == BOOKWORM
