"""Memory balloon devices (5.5): BAL rows."""

from __future__ import annotations

from .model import Level, Statement, Unjudged

__all__ = ["ROWS", "UNJUDGED"]


ROWS: tuple[Statement, ...] = ()

UNJUDGED: tuple[Unjudged, ...] = (
    Unjudged(
        "5.5.3.2#1",
        Level.MAY,
        "The device may refuse FEATURES_OK when MUST_TELL_HOST is offered and not accepted.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.5.6.2#1",
        Level.MAY,
        "The device may change a page from when it sees it in an inflate request until it uses that request.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.5.6.2#2",
        Level.MAY,
        "With MUST_TELL_HOST the device may change a page of the balloon until it has used the deflate request for it.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged("5.5.6.3.2#1", Level.MUST, "The device ignores statistics whose tag it does not know.", "not judged yet"),
    Unjudged("5.5.6.3.2#2", Level.MUST, "The device accepts statistics in any order.", "not judged yet"),
    Unjudged(
        "5.5.6.5.2#1",
        Level.SHOULD,
        "The device sets free_page_hint_cmd_id to STOP whenever it cannot use hints.",
        "not judged yet",
    ),
    Unjudged(
        "5.5.6.5.2#2",
        Level.MUST_NOT,
        "The device uses no command id again before the driver has acknowledged with STOP.",
        "not judged yet",
    ),
    Unjudged(
        "5.5.6.5.2#3",
        Level.MUST,
        "The device ignores hinted pages of a command id that is not the current one.",
        "what a device does with a hint (it skips the page in a migration) does not show in the guest before the guest runs elsewhere; a device that changes the page at once is permitted to for the current id only, which shows on devices that discard at once",
    ),
    Unjudged(
        "5.5.6.5.2#4",
        Level.MAY,
        "The device may change a hinted page that the guest has left alone since the id was issued.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.5.6.5.2#5", Level.MUST_NOT, "The device leaves hinted pages alone once it shows DONE.", "not judged yet"
    ),
    Unjudged(
        "5.5.6.5.2#6", Level.MUST, "The device shows DONE when it needs the hinted pages no more.", "not judged yet"
    ),
    Unjudged(
        "5.5.6.6.2#1",
        Level.MAY,
        "The device may take poison_val as a hint.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.5.6.7.2#1",
        Level.MAY,
        "Without PAGE_POISON the device may change a reported page until it uses the report.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.5.6.7.2#2",
        Level.MUST_NOT,
        "With PAGE_POISON the device changes a reported page to nothing but poison_val.",
        "not judged yet",
    ),
)
