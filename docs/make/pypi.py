"""What PyPI shows, made from README.md: there is no place there from which its pictures and its links could be had."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

__all__ = ["readme"]

README = Path(__file__).parents[2] / "README.md"
#: The picture that is told in text, and by which command.
_PICTURE, _WORDS = "docs/pictures/suspend.svg", ("suspend", "emulated:rng", "--cycles", "5")
_MACHINE = re.compile(r"\s*(?:kernel|python|hypervisor)\s+(?!none)")


def readme() -> str:
    """The page, in Markdown."""
    text = README.read_text(encoding="utf-8")
    text = text.replace(f"![A run of uvirtio suspend]({_PICTURE})", f"```\n$ uvirtio {' '.join(_WORDS)}\n{_run()}\n```")
    text = re.sub(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n*", "", text)
    # A link into the checkout is told by its path where its words do not say it.
    text = re.sub(
        r"\[([^\]]+)\]\((?!https?:|#)([^)]*)\)", lambda link: f"`{link[2]}`" if "/" in link[1] else link[1], text
    )
    return text.rstrip() + "\n"


def _run() -> str:
    from uvirtio_tools.cli import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        main(list(_WORDS))
    return "\n".join(line for line in said.getvalue().splitlines() if not _MACHINE.match(line)).strip("\n")
