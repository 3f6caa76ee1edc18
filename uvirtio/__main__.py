"""``python -m uvirtio``: the command line, from an installation or from a bare checkout."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path


def _main() -> int:
    if find_spec("uvirtio_tools") is None:
        root = Path(__file__).resolve().parent.parent
        sys.path[1:1] = [str(root / "tools"), str(root / "drivers")]
    from uvirtio_tools.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(_main())
