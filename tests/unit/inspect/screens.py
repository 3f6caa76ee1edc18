"""Pictures of the interface, compared with those that were looked at and kept.

``UVIRTIO_KEEP_SCREENS=1 pytest tests/unit/inspect/test_tui.py`` keeps what is drawn now; look at it before it goes in.
"""

from __future__ import annotations

import html
import os
import re
from pathlib import Path

import textual
from textual.app import App

__all__ = ["KEPT", "compare_screen", "words"]

KEPT = Path(__file__).parent / "screens"
_KEEP = "UVIRTIO_KEEP_SCREENS"


def _normal(svg: str) -> str:
    """Without what differs from run to run: the ids that each picture gets."""
    return re.sub(r"terminal-\d+", "terminal", svg)


def words(svg: str) -> str:
    """The text of a picture, piece by piece."""
    pieces = re.findall(r"<text[^>]*>(.*?)</text>", svg, re.DOTALL)
    return "\n".join(html.unescape(piece).replace("\xa0", " ").rstrip() for piece in pieces)


def compare_screen(app: App[None], name: str, tmp_path: Path) -> None:
    """Hold the screen against the kept picture: all of it with the Textual that drew that one, else its text."""
    drawn = _normal(app.export_screenshot(title="uvirtio", simplify=False))
    stamp = f"<!-- textual {textual.__version__} -->\n"
    path = KEPT / f"{name}.svg"
    if os.environ.get(_KEEP):
        KEPT.mkdir(exist_ok=True)
        path.write_text(stamp + drawn, encoding="utf-8")
    kept = path.read_text(encoding="utf-8")
    same = kept == stamp + drawn if kept.startswith(stamp) else words(kept).split() == words(drawn).split()
    if not same:
        found = tmp_path / f"{name}.svg"
        found.write_text(stamp + drawn, encoding="utf-8")
        before, after = words(kept).splitlines(), words(drawn).splitlines()
        changed = [f"- {line}" for line in before if line not in after] + [
            f"+ {line}" for line in after if line not in before
        ]
        raise AssertionError(
            f"the screen {name} looks different now ({found}); set {_KEEP}=1 to keep it\n"
            + "\n".join(changed or ["(only in colour or place)"])
        )
