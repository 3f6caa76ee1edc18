"""JSON: the result document itself; for several results a comparison of verdicts, and each result."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .document import COMPARISON, Document, ids_of, labels, verdict_of

__all__ = ["render"]


def render(documents: Sequence[Document]) -> str:
    """One document, or ``uvirtio/comparison``."""
    if len(documents) == 1:
        return json.dumps(documents[0], indent=2) + "\n"
    comparison = {
        "schema": COMPARISON,
        "version": 1,
        "runs": [
            {
                "label": name,
                "locator": document["locator"],
                "verdict": document["verdict"],
                "machine": document["machine"],
            }
            for name, document in zip(labels(documents), documents, strict=True)
        ],
        "statements": [
            {"id": id_, "verdicts": [verdict_of(document, id_) or None for document in documents]}
            for id_ in ids_of(documents)
        ],
        "results": list(documents),
    }
    return json.dumps(comparison, indent=2) + "\n"
