"""A table with one line per row, drawn in one go: rich lays out every cell by itself, which many devices make felt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from uvirtio.foreign import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.measure import Measurement
    from rich.table import Table

__all__ = ["Columns", "empty_table"]

_GAP = " " * 3


def empty_table(*headings: str, numbers: Iterable[str] = ()) -> Table:
    """rich's own table in the style of this program, whose cells are no markup, and are folded where they do not fit."""
    from rich import box

    table = _plain_table()(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    right = set(numbers)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return table


@cache
def _plain_table() -> type[Table]:
    from rich.table import Table
    from rich.text import Text

    class Plain(Table):
        """Whoever draws it, Textual for one, takes markup; its words are somebody's."""

        def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
            super().add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells), **options)

    return Plain


class Columns:
    """Rows of cells under headings. It looks as :func:`empty_table` does, which is what draws it where it does not fit.

    Without ``fold`` a row stays one line then, to be printed with ``soft_wrap``.
    """

    def __init__(self, headings: Sequence[str], rows: Iterable[Sequence[str]], *, fold: bool = True) -> None:
        self._fold = fold
        self._rows = [list(headings), *([printable(cell) for cell in row] for row in rows)]

    @cached_property
    def _widths(self) -> list[int]:
        from rich.cells import cell_len

        return [max(map(cell_len, column)) for column in zip_longest(*self._rows, fillvalue="")]

    @property
    def width(self) -> int:
        """Character cells that the longest line takes."""
        return sum(self._widths) + len(_GAP) * (len(self._widths) - 1)

    def _line(self, row: Sequence[str]) -> str:
        from rich.cells import cell_len

        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, self._widths, strict=True))
        return _GAP.join(padded).rstrip()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        from rich.measure import Measurement

        return Measurement(min(len(self._widths), options.max_width), min(self.width, options.max_width))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        headings, *rows = self._rows
        if self._fold and self.width > options.max_width:
            table = empty_table(*headings)
            for row in rows:
                table.add_row(*row)
            yield table
            return
        rule = "-" if options.ascii_only else "─"
        yield Segment(self._line(headings), console.get_style("bold"))
        yield Segment(f"\n{rule * min(self.width, options.max_width)}\n")
        yield Segment("".join(f"{self._line(row)}\n" for row in rows))
