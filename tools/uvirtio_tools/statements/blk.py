"""Block devices: what odd requests are answered with (5.2.6.2)."""

from __future__ import annotations

from collections.abc import Iterator

from uvirtio.spec.statements import STATEMENTS

from ..judging import names
from ..judging.history import Window
from ..judging.observation import Observation, broken, kept
from . import judges
from .common import numbers, records, values

__all__: list[str] = []


@judges("BLK3")
def refuses_to_write(window: Window) -> Iterator[Observation]:
    """IOERR, and the sector is as it was."""
    answers = values(window, f"{names.ANSWER}{names.READ_ONLY}")
    wrong = [f"the write was answered with {answer}" for answer in answers if answer != "IOERR"]
    wrong += ["the sector has changed" for same in numbers(window, names.UNCHANGED) if not same]
    if wrong:
        yield broken("a read-only disk takes a write", STATEMENTS["BLK3"].text, "; ".join(wrong))
    elif answers:
        yield kept("the write was answered with IOERR, and the sector is as it was")


def _unsupported(id_: str, *whats: str) -> None:
    @judges(id_)
    def answers(window: Window) -> Iterator[Observation]:
        """The status byte is UNSUPP."""
        found = [(what, answer) for what in whats for answer in values(window, f"{names.ANSWER}{what}")]
        wrong = [f"{what} was answered with {answer}" for what, answer in found if answer != "UNSUPP"]
        if wrong:
            yield broken("a request that is not defined is not refused", STATEMENTS[id_].text, "; ".join(wrong))
        elif found:
            yield kept(f"{', '.join(what for what, _ in found)}: UNSUPP")


_unsupported("BLK4", names.ZEROES_FLAG, names.DISCARD_FLAG)
_unsupported("BLK5", names.UNMAP)
_unsupported("BLK7", names.ZONE)


@judges("BLK6")
def reads_zeros(window: Window) -> Iterator[Observation]:
    """No byte is anything else."""
    found = records(window, names.ZEROES, 2)
    if wrong := [
        f"{others} bytes are not 0 {'with' if unmap else 'without'} unmap" for unmap, others in found if others
    ]:
        yield broken("sectors written with zeroes do not read as zeros", STATEMENTS["BLK6"].text, "; ".join(wrong))
    elif found:
        yield kept(f"sectors written with zeroes read as zeros, {len(found)} times")


@judges("BLK8")
def starts_written_through(window: Window) -> Iterator[Observation]:
    """There is no request that would empty the cache."""
    for control, value in records(window, names.WRITEBACK, 2):
        if value:
            yield broken("writeback without FLUSH", STATEMENTS["BLK8"].text, f"writeback is {value} after DRIVER_OK")
        else:
            remarks = () if control else ("writeback is 0 with FLUSH as well",)
            yield kept("writeback is 0 after DRIVER_OK without FLUSH", remarks=remarks)
