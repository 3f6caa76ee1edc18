"""Measured rows as a document, and how they compare with an earlier one."""

from __future__ import annotations

from uvirtio.errors import UsageError
from uvirtio.foreign import parse_json

from ..named_files import read_text

__all__ = ["SCHEMA", "VERSION", "Row", "compare", "load"]

SCHEMA = "uvirtio/bench"
VERSION = 1
#: What tells rows apart; what of a row is compared with a baseline, and how much worse it may be.
_KEYS = ("bench", "format", "feature", "batch", "size")
_RATIOS = ("ratio_to_raw", "ratio_to_split", "ratio_to_bare")
_TOLERANCE = 1.5

Row = dict[str, object]


def load(path: str) -> list[Row]:
    """The rows of an earlier ``uvirtio bench --json``. Raises :class:`UsageError`."""
    try:
        document = parse_json(read_text(path))
    except (OSError, ValueError) as error:
        raise UsageError(f"--baseline {path}: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA or document.get("version") != VERSION:
        raise UsageError(f"--baseline {path}: not a document of `uvirtio bench --json`, version {VERSION}")
    rows = document.get("rows")
    if not isinstance(rows, list) or not all(map(_is_row, rows)):
        raise UsageError(f"--baseline {path}: damaged: rows is missing or not what it should be")
    return rows


def _is_row(row: object) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(key), str | int | None) for key in _KEYS)


def compare(rows: list[Row], baseline: list[Row]) -> list[str]:
    """A sentence for each ratio that is more than half again as bad as in the baseline."""
    earlier = {tuple(row.get(key) for key in _KEYS): row for row in baseline}
    worse = []
    for row in rows:
        before = earlier.get(tuple(row.get(key) for key in _KEYS), {})
        for name in _RATIOS:
            now, then = row.get(name), before.get(name)
            if isinstance(now, float) and isinstance(then, float) and now > _TOLERANCE * then:
                what = " ".join(f"{key} {row[key]}" for key in _KEYS if key in row)
                worse.append(f"{what}: {name} is {now:g}, and was {then:g}")
    return worse
