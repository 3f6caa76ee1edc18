"""The conformance checks: one short function per statement, a bench to work on, and the runner."""

from __future__ import annotations

from ..judging.result import CheckResult, CheckRun
from ..judging.verdict import Finding, Verdict
from .runner import run_checks

__all__ = ["CheckResult", "CheckRun", "Finding", "Verdict", "run_checks"]
