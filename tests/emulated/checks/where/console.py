"""On which device each fault of this chapter is shown: fault -> locator, to which the fault is added."""

from __future__ import annotations

WHERE: dict[str, str] = {"CON1": "emulated:console"}
