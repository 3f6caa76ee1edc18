"""The conformance checks: one short function per statement, a bench to work on, and the runner."""

from __future__ import annotations

from .result import CheckResult, CheckRun
from .runner import run_checks
from .verdict import Finding, Verdict

__all__ = ["CheckResult", "CheckRun", "Finding", "Verdict", "run_checks"]
