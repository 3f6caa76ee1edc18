"""What is seen, as files in the working directory."""

from __future__ import annotations

import json
import re
import time

from textual.app import App

from ..inspect.model import Description
from ..inspect.snapshot import device_document

__all__ = ["export"]


def export(app: App[None], found: Description | None, name: str) -> str:
    """Write the screen as SVG, and the description as JSON where there is one; what was done, in a sentence.

    Each is a new file: in a directory of everybody's a link of that name may lie there already.
    """
    stem = "uvirtio-" + re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-") + time.strftime("-%Y%m%d-%H%M%S")
    written = []
    texts = {f"{stem}.svg": app.export_screenshot()}
    if found is not None:
        texts[f"{stem}.json"] = json.dumps(device_document(found), indent=2) + "\n"
    try:
        for path, text in texts.items():
            with open(path, "x", encoding="utf-8") as file:
                file.write(text)
            written.append(path)
    except OSError as error:
        return f"cannot write {stem}: {error.strerror}"
    return f"written: {', '.join(written)}"
