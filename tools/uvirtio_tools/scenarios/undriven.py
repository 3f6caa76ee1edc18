"""A function that cannot be driven at all: what its configuration space shows is judged, and nothing else can be."""

from __future__ import annotations

from uvirtio.bus import Function
from uvirtio.rules.structures import IDS
from uvirtio.spec.statements import STATEMENTS

from ..judging import names
from ..judging.events import Read
from ..judging.history import Setting, Window
from ..judging.judge import Judge
from ..judging.layouts import layout_of_function
from ..judging.result import CheckRun
from ..judging.verdict import applies
from ..statements import every_judgement, select

__all__ = ["judge_undriven"]


def judge_undriven(run: CheckRun, function: Function, why: str) -> bool:
    """Judge an open function by its layout, and fill in ``run``; whether that shows anything that is wrong.

    Raises :class:`~uvirtio.errors.DeviceGone`.
    """
    run.locator, run.stopped = function.locator, why
    setting = Setting(0, "", "", run.timeout, run.hold)
    window = Window("read the layout of configuration space", IDS, setting, 1)
    window.events.append(Read(function.clock.now(), names.LAYOUT, layout_of_function(function)))
    judge = Judge(every_judgement(), setting, strict=run.strict)
    judge.hear(window)
    ids = [id_ for id_ in select(run.only) if applies(STATEMENTS[id_], None, 0)]
    run.results += judge.results(ids, unheard=why)
    return any(result.verdict.bad for result in run.results)
