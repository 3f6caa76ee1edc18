"""The mirrors that the lab and images are made from are those that the machine's own apt is set up with."""

from __future__ import annotations

from pathlib import Path

import pytest

from uvirtio_tools.image.apt import Source, own_sources

pytestmark = pytest.mark.needs("apt")

_DEB822 = """\
Types: deb
URIs: http://mirror.invalid/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/some.gpg

Types: deb
URIs: http://mirror.invalid/security
Suites: bookworm-security
Components: main
Enabled: no

Types: deb
URIs: http://elsewhere.invalid/tools
Suites: stable
Components: main
"""
_ONE_LINE = """\
# deb http://commented.invalid/debian bookworm main
deb-src http://sources.invalid/debian bookworm main
deb http://elsewhere.invalid/tools bookworm extra
deb http://mirror.invalid/debian-security bookworm-security main
deb [signed-by=/a.gpg,/b.gpg arch=amd64] http://mirror.invalid/debian bookworm main
"""


@pytest.fixture
def apt_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty configuration folder in the place of the machine's own."""
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    settings = tmp_path / "apt.conf"
    settings.write_text(
        f'Dir::Etc::SourceList "{tmp_path}/sources.list";\nDir::Etc::SourceParts "{parts}";\nDir::State "{tmp_path}";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(settings))
    return tmp_path


def test_deb822_entries_are_found_with_their_keys_and_only_those_of_the_release(apt_configuration: Path) -> None:
    (apt_configuration / "sources.list.d/debian.sources").write_text(_DEB822)
    rings = ("/usr/share/keyrings/some.gpg",)
    assert own_sources("bookworm") == [
        Source("http://mirror.invalid/debian/", "bookworm", rings),
        Source("http://mirror.invalid/debian/", "bookworm-updates", rings),
    ]


def test_one_line_entries_are_found_the_release_itself_first(apt_configuration: Path) -> None:
    (apt_configuration / "sources.list").write_text(_ONE_LINE)
    rings = ("/a.gpg", "/b.gpg")
    assert own_sources("bookworm") == [
        Source("http://mirror.invalid/debian/", "bookworm", rings),
        Source("http://mirror.invalid/debian-security/", "bookworm-security", rings),
    ]


def test_no_entry_gives_no_source(apt_configuration: Path) -> None:
    assert own_sources("bookworm") == []


def test_another_suite_is_on_the_same_mirror_and_never_trusted_without_a_key() -> None:
    source = Source("http://mirror.invalid/debian/", "bookworm", ("/a.gpg",))
    line = str(source.at("trixie"))
    assert line.startswith("deb [signed-by=/a.gpg")
    assert line.endswith("] http://mirror.invalid/debian/ trixie main")
    assert str(Source("http://mirror.invalid/debian/", "bookworm")) == "deb http://mirror.invalid/debian/ bookworm main"
