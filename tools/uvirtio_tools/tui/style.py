"""How the interface looks: plain, no more than 16 colours, no borders but lines of dashes."""

from __future__ import annotations

__all__ = ["CSS"]

CSS = """
Screen { layout: vertical; }
#body { height: 1fr; }
#side { width: 1fr; height: 1fr; }
.wide #side { width: 46; border-right: ascii $foreground; }
#stage { width: 1fr; height: 1fr; }
#nothing { padding: 1; }
#keys { height: 1; }
#tabs { height: 1; }
.head { text-style: bold reverse; height: auto; max-height: 2; padding: 0 1; }
.error { text-style: bold; padding: 0 1; height: auto; max-height: 3; }
FilterTable { height: 1fr; }
FilterTable DataTable { height: 1fr; scrollbar-size-horizontal: 0; }
FilterTable .order { height: 1; text-style: dim; padding: 0 1; }
FilterTable .filter { height: 1; border: none; padding: 0 1; }
#chosen { height: auto; max-height: 7; padding: 0 1; border-top: ascii $foreground; }
#chosen.beside { max-height: 10; }
.device { height: 1fr; }
ContentSwitcher { height: 1fr; }
FeaturesPanel, QueuesPanel, Portrait, ChecksPanel { height: 1fr; }
#feature-masks { height: auto; max-height: 2; padding: 0 1; text-style: bold; }
#feature-table { height: 1fr; }
#feature-text { height: auto; max-height: 6; padding: 0 1; border-top: ascii $foreground; }
#queue-table { height: auto; max-height: 40%; }
#ring-head { height: auto; max-height: 5; padding: 0 1; border-top: ascii $foreground; }
#ring { height: 1fr; }
#ring > VerticalScroll { width: 1fr; padding: 0 1; }
#lights, #state, #rings, #facts, #lifelines, #check-sum { height: auto; padding: 0 1; }
#rings, #facts { max-height: 7; }
#lifelines { display: none; border-top: ascii $foreground; }
#log { height: 1fr; min-height: 3; padding: 0 1; border-top: ascii $foreground; }
#check-sum { max-height: 4; text-style: bold; }
#trace { height: 1fr; padding: 0 1; }
Confirm, Page, TooSmall { align: center middle; }
.dialog { width: 78; max-width: 100%; height: auto; max-height: 90%; border: ascii $foreground; padding: 0 1; background: $surface; }
.tall { height: 90%; }
.title { text-style: bold; height: auto; }
.hint { text-style: dim; height: 1; margin-top: 1; }
#too-small { width: auto; }
"""
