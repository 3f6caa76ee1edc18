"""How the interface looks: plain, no more than 16 colours, no borders but lines of dashes."""

from __future__ import annotations

__all__ = ["CSS"]

CSS = """
Screen { layout: vertical; }
#head { text-style: bold reverse; height: auto; max-height: 2; padding: 0 1; }
#error { text-style: bold; padding: 0 1; height: auto; max-height: 3; }
#devices { height: 1fr; }
#chosen { height: auto; max-height: 7; padding: 0 1; border-top: ascii $foreground; }
TabbedContent { height: 1fr; }
ContentSwitcher { height: 1fr; }
TabPane { padding: 0; height: 1fr; }
Tab { padding: 0 1; min-width: 0; }
FeaturesPanel, QueuesPanel, DrivePanel { height: 1fr; }
#feature-masks { height: 1; padding: 0 1; text-style: bold; }
#feature-table { height: 1fr; }
#feature-text { height: auto; max-height: 6; padding: 0 1; border-top: ascii $foreground; }
#queue-table { height: auto; max-height: 40%; }
#ring-head { height: auto; max-height: 5; padding: 0 1; border-top: ascii $foreground; }
#ring { height: 1fr; }
#ring > VerticalScroll { width: 1fr; padding: 0 1; }
#drive-keys { height: auto; padding: 0 1; }
#drive-lights { height: auto; padding: 0 1; }
#drive-state, #drive-latency { height: auto; padding: 0 1; }
#drive-spark { height: 1; margin: 0 1; display: none; }
#drive-log { height: 1fr; padding: 0 1; border-top: ascii $foreground; }
#trace-log { height: 1fr; padding: 0 1; }
Confirm, Page, TooSmall { align: center middle; }
.dialog { width: 72; max-width: 95%; height: auto; max-height: 90%; border: ascii $foreground; padding: 0 1; background: $surface; }
.tall { height: 90%; }
.title { text-style: bold; height: auto; }
.hint { text-style: dim; height: 1; margin-top: 1; }
#too-small { width: auto; }
"""
