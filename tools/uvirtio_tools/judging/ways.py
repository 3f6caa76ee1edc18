"""What a judgement says of ISR, said of messages of MSI-X: a message stands for the bit that ISR would show without them."""

from __future__ import annotations

from dataclasses import replace

from .observation import Observation

__all__ = ["in_messages"]

#: In this order: the longer ones hold the shorter.
_WORDS = (
    ("ISR never showed bit 0", "no queue's message came"),
    ("did not set ISR bit 1", "did not bring the configuration's message"),
    ("set ISR bit 1", "brought the configuration's message"),
    ("ISR bit 0 is set by then", "a queue's message has come by then"),
    ("ISR bit 0 was set", "a queue's message came"),
    ("ISR bit 1 was set", "the configuration's message came"),
    ("ISR bit 0 stayed 0", "no queue's message came"),
    ("ISR bit 0 stays 0", "no queue's message comes"),
    ("ISR bit 1 stays 0", "no message of the configuration comes"),
    ("ISR bit 0", "a queue's message"),
    ("ISR bit 1", "the configuration's message"),
    ("ISR stayed 0", "no message came"),
    ("ISR stays 0", "no message comes"),
    ("ISR was set", "a message came"),
    ("ISR showed both bits", "messages showed both bits"),
    ("ISR reads 0x0", "none came"),
    ("ISR was read", "messages were looked at"),
    ("showed in ISR", "showed as messages"),
    ("ISR shows", "messages show"),
    ("ISR showed", "messages showed"),
)


def in_messages(observation: Observation) -> Observation:
    """The same observation, in the words of messages."""
    return replace(
        observation,
        summary=_said(observation.summary),
        expected=_said(observation.expected),
        observed=_said(observation.observed),
        remarks=tuple(map(_said, observation.remarks)),
    )


def _said(text: str) -> str:
    if "ISR" in text:
        for isr, messages in _WORDS:
            text = text.replace(isr, messages)
    return text
