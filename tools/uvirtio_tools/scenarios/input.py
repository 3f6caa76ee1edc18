"""What an input device is asked that it cannot know."""

from __future__ import annotations

import json

from uvirtio_drivers.input import Input

from ..judging import names
from ..judging.ends import Skip
from ..judging.stage import Stage
from . import scenario

__all__: list[str] = []

#: A query that every device answers, its name, and such as nobody has defined.
_NAME, _UNDEFINED = 0x01, (0x00, 0x04, 0x0F, 0x13, 0x7F, 0xFF)


@scenario("ask an input device what it cannot know", "INP1", dialects=())
def queries(stage: Stage) -> None:
    """Its name, then something that is not defined, again and again."""
    stage.start(suspend=False)
    driver = stage.bring_up.driver
    if not isinstance(driver, Input):
        raise Skip("there is no driver for input devices")
    for select in _UNDEFINED:
        known, answer = driver.query(_NAME), driver.query(select)
        stage.read(names.QUERY, json.dumps([select, len(known), len(answer)]))
