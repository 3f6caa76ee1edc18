"""The catalogue of statements, for people and as JSON."""

from __future__ import annotations

import json

from uvirtio.spec.statements import STATEMENTS

from ..scenarios import DANGEROUS, every_scenario
from ..statements import every_judgement

__all__ = ["catalogue"]


def catalogue(*, as_json: bool) -> str:
    """Every statement with what goes with it."""
    every_judgement()  # those of other packages come with their judgements
    dangerous = {id_ for each in every_scenario() if each.order == DANGEROUS for id_ in each.shows}
    if as_json:
        rows = [
            {
                "id": row.id, "level": row.level.value, "side": row.side.value, "text": row.text, "section": row.section, "sentences": list(row.sentences),
                "dialects": list(row.dialects), "needs": [need.value for need in row.needs], "implies": list(row.implies),
                "deviates": list(row.deviates), "dangerous": row.id in dangerous,
            }
            for row in STATEMENTS.values()
        ]  # fmt: skip
        return json.dumps({"schema": "uvirtio/statements", "version": 1, "statements": rows}, indent=2) + "\n"
    lines = []
    for row in STATEMENTS.values():
        lines.append(f"{row.id:4} {row.level.value:10} {row.side.value:6}  {row.text}")
        details = [f"{row.section}; {'dialect ' + ', '.join(row.dialects) if row.dialects else 'every device'}"]
        if row.needs:
            details.append(f"needs {', '.join(need.value for need in row.needs)}")
        if row.implies:
            details.append(f"implies {', '.join(row.implies)}")
        if row.deviates:
            details.append(f"the driver deviates: {', '.join(row.deviates)}")
        lines.append(f"{'':24}{'; '.join(details)}")
    return "\n".join(lines) + "\n"
