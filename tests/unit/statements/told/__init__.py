"""The histories, by chapter as the statements are. Importing this fills the table."""

from __future__ import annotations

from importlib import import_module

from ..table import CASES

__all__ = ["CASES"]

for _name in (
    "asleep", "basic", "configuration", "drafts", "draining", "driver", "endings", "initial", "messages", "notifications", "pci", "queues",
    "survive", "transitions", "types", "unspecified", "whole",
):  # fmt: skip
    import_module(f".{_name}", __name__)
