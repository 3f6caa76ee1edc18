"""``python -m uvirtio``: the command line, from an installation or from a bare checkout."""

from __future__ import annotations

import sys
from pathlib import Path


def _main() -> int:
    # A checkout brings its own rooms, whatever version is installed beside it.
    root = Path(__file__).resolve().parent.parent
    if (root / "tools" / "uvirtio_tools").is_dir():
        sys.path[1:1] = [str(root / "tools"), str(root / "drivers")]
    from uvirtio_tools.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(_main())
