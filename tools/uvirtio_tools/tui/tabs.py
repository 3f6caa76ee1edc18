"""The tabs of a device as one line: names in full where they fit, shorter ones where they do not."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

__all__ = ["TABS", "TabBar"]

#: Name of a tab, and its short name.
TABS = {
    "live": "live", "features": "feat", "queues": "ring", "about": "about", "config": "conf", "checks": "check", "trace": "trace",
    "events": "event",
}  # fmt: skip


class TabBar(Static):
    """Which tab is shown, and by which key the others are reached."""

    def __init__(self) -> None:
        super().__init__("", id="tabs", markup=False)
        self.active = "live"

    def show(self, name: str) -> None:
        """This one is shown now."""
        self.active = name
        self.refresh()

    def render(self) -> Text:
        """As there is room."""
        text = self._text({name: name for name in TABS})
        return text if len(text) <= self.size.width else self._text(TABS)

    def _text(self, names: dict[str, str]) -> Text:
        parts = []
        for number, (name, shown) in enumerate(names.items(), 1):
            parts.append(Text(f"{number} {shown}", style="reverse bold" if name == self.active else ""))
        return Text(" ").join(parts)
