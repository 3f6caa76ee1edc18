"""A statement of the type's own, and a scenario that gives it an occasion."""

from __future__ import annotations

from collections.abc import Iterator

from uvirtio.spec.statements import Level, Side, Statement, register
from uvirtio_tools.judging.history import Window
from uvirtio_tools.judging.observation import Observation, broken, kept
from uvirtio_tools.judging.stage import Stage
from uvirtio_tools.scenarios import scenario
from uvirtio_tools.statements import judges
from uvirtio_tools.statements.common import values

from .spec import NUMBER

MODULUS = "modulus"

register(
    "adder",
    Statement("ADDER1", Level.MUST, Side.DEVICE, "The modulus is not zero.", "Adder 1.2", ("1.4",), types=(NUMBER,)),
)


@scenario("read the modulus", "ADDER1", dialects=("1.4",))
def read(stage: Stage) -> None:
    """The driver says what it sees."""
    stage.start()
    if (modulus := getattr(stage.bring_up.driver, "modulus", None)) is not None:
        stage.read(MODULUS, modulus)


@judges("ADDER1")
def not_zero(window: Window) -> Iterator[Observation]:
    """As it was read."""
    for value in values(window, MODULUS):
        if value == "0":
            yield broken("the modulus is zero", "another number", "it reads 0")
        else:
            yield kept(f"the modulus is {value}")
