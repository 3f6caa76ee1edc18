"""Fetching and unpacking Debian packages of any suite, beside the system's own.

apt itself does the work, on a package database of its own in a temporary folder: the machine's mirrors, proxies,
certificates and keys apply as they stand in its configuration, nothing is installed, and no root is needed.
"""

from __future__ import annotations

import platform
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from uvirtio.errors import CannotRun
from uvirtio.programs import environment, find

__all__ = ["PackageRoom", "Source", "open_room", "own_mirrors", "own_sources", "unpack"]

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_FIELDS = ("REPO_URI", "RELEASE", "COMPONENT", "SOURCESENTRY")
_SIGNED_BY = re.compile(r"signed-by\s*[:=]\s*(/[^\s\]]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """One suite on one mirror, and the key rings that vouch for it (none: those that apt trusts anyway)."""

    uri: str
    suite: str
    rings: tuple[str, ...] = ()

    def at(self, suite: str) -> Source:
        """Another suite on the same mirror. Debian's own key ring, which knows newer releases, may vouch as well."""
        more = (str(_KEYRING),) if _KEYRING.exists() and str(_KEYRING) not in self.rings else ()
        return replace(self, suite=suite, rings=self.rings + more)

    def __str__(self) -> str:
        options = [f"[signed-by={','.join(self.rings)}]"] if self.rings else []
        return " ".join(["deb", *options, self.uri, self.suite, "main"])


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    """Raises :class:`CannotRun` with the end of what the tool said."""
    name = str(command[0])
    program = find(name, system=True)
    if program is None:
        raise CannotRun(
            f"there is no {name} here; this is done from Debian's packages, on Debian or what is made of it"
        )
    done = subprocess.run(
        [program, *command[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=cwd,
        env=environment(LC_ALL="C.UTF-8"),
    )  # fmt: skip
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise CannotRun(f"{name} failed:\n{said}")
    return done.stdout


def own_mirrors() -> list[Source]:
    """The machine's own entries for its own release of Debian, the release itself first.

    Raises :class:`CannotRun` where this is no Debian, or apt is not set up for it.
    """
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    codename = release.get("VERSION_CODENAME", "")
    if release.get("ID") != "debian" or not codename:
        raise CannotRun(
            f"this is {release.get('PRETTY_NAME', 'an unknown system')}, and this is made from Debian's packages"
        )
    sources = own_sources(codename)
    if not sources or sources[0].suite != codename:
        raise CannotRun(f"apt's configuration has no entry for {codename} main, so no mirror is known")
    return [source.at(source.suite) for source in sources]


def own_sources(codename: str) -> list[Source]:
    """The machine's own entries for a Debian release (its security and updates suites too), the release itself first.

    apt reads its configuration for us, so that the one-line and the deb822 format both work, whether or not the
    package lists were ever fetched. It does not tell the key rings: those named in the entry's file are taken.
    """
    row = "\t".join(f"$({field})" for field in _FIELDS)
    listing = _run("apt-get", "indextargets", "--no-release-info", "--format", row, "Created-By: Packages")
    found: dict[tuple[str, str], Source] = {}
    for line in listing.splitlines():
        uri, suite, component, entry = line.split("\t")
        if component == "main" and suite.split("/")[0].removesuffix("-updates").removesuffix("-security") == codename:
            named = _SIGNED_BY.findall(Path(entry.rpartition(":")[0]).read_text(encoding="utf-8"))
            rings = dict.fromkeys(ring for rings in named for ring in rings.split(","))
            found[uri, suite] = Source(uri, suite, tuple(rings))
    return sorted(found.values(), key=lambda source: source.suite != codename)


class PackageRoom:
    """A package database of its own over the given sources; made by `open_room`."""

    def __init__(self, folder: Path, sources: Sequence[Source], architecture: str = "") -> None:
        self._folder = folder
        for name in ("state/lists/partial", "cache/archives/partial", "etc"):
            (folder / name).mkdir(parents=True)
        (folder / "state/status").touch()
        listing = folder / "etc/sources.list"
        listing.write_text("".join(f"{source}\n" for source in sources), encoding="utf-8")
        settings = {
            "Dir::State": folder / "state",
            "Dir::State::status": folder / "state/status",
            "Dir::Cache": folder / "cache",
            "Dir::Etc::SourceList": listing,
            "Dir::Etc::SourceParts": folder / "etc/none",
            "Dir::Etc::Preferences": folder / "etc/none",
            "Dir::Etc::PreferencesParts": folder / "etc/none",
            "APT::Default-Release": "",
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Debug::NoLocking": "true",
        }
        if architecture:
            settings |= {"APT::Architecture": architecture, "APT::Architectures": architecture}
        self._settings = [f"-o{name}={value}" for name, value in settings.items()]

    def update(self) -> None:
        """Fetches the package lists; raises CannotRun, also when one of the sources could not be had."""
        _run("apt-get", *self._settings, "-oAPT::Update::Error-Mode=any", "update", "-q")

    def download(self, *packages: str, release: str = "") -> list[Path]:
        """The packages and all that they depend on, from `release` where it has them."""
        target = ["--target-release", release] if release else []
        _run("apt-get", *self._settings, "install", "-qy", "--download-only", *target, *packages)
        return sorted((self._folder / "cache/archives").glob("*.deb"))

    def dependencies(self, package: str, *, release: str = "") -> list[str]:
        """The direct dependencies of `package`, from `release` where it has it."""
        listing = _run(
            "apt-cache", *self._settings, "depends", "--important", f"{package}/{release}" if release else package
        )
        split = (line.strip().partition(": ") for line in listing.splitlines())
        return [name for relation, _, name in split if relation in ("Depends", "PreDepends")]

    def dependency(self, package: str, prefix: str, *, release: str = "") -> str:
        """The one of its direct dependencies whose name begins with `prefix` (a metapackage's real one)."""
        for name in self.dependencies(package, release=release):
            if name.startswith(prefix):
                return name
        raise CannotRun(f"{package} depends on no {prefix}*")

    def download_alone(self, package: str) -> Path:
        """One package without its dependencies."""
        into = self._folder / "alone"
        into.mkdir(exist_ok=True)
        _run("apt-get", *self._settings, "download", "-q", package, cwd=into)
        archive = next(into.glob(f"{package}_*.deb"), None)
        if archive is None:
            raise CannotRun(f"apt-get download {package} brought nothing")
        return archive


def unpack(archives: Sequence[Path], root: Path) -> None:
    """Unpacks the archives over each other, without running any of their scripts."""
    root.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        _run("dpkg", "-x", archive, root)


@contextmanager
def open_room(sources: Sequence[Source], architecture: str = "") -> Iterator[PackageRoom]:
    """A `PackageRoom` that is gone afterwards, with its lists fetched; of another than this machine's architecture if named."""
    with tempfile.TemporaryDirectory(prefix="uvirtio-apt-") as folder:
        room = PackageRoom(Path(folder), sources, architecture)
        room.update()
        yield room
