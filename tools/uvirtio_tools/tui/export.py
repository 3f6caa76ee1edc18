"""What is seen, as files in the working directory."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

from textual.app import App

from ..inspect.model import Description
from ..inspect.snapshot import device_document

__all__ = ["export"]


def export(app: App[None], found: Description | None, name: str) -> str:
    """Write the screen as SVG, and the description as JSON where there is one; what was done, in a sentence."""
    stem = "uvirtio-" + re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-") + time.strftime("-%Y%m%d-%H%M%S")
    written = []
    try:
        app.save_screenshot(filename=f"{stem}.svg", path=".")
        written.append(f"{stem}.svg")
        if found is not None:
            Path(f"{stem}.json").write_text(json.dumps(device_document(found), indent=2) + "\n", encoding="utf-8")
            written.append(f"{stem}.json")
    except OSError as error:
        return f"cannot write {stem}: {error.strerror}"
    return f"written: {', '.join(written)}"
