"""SPI controller (virtio 1.4, 5.21)."""

from __future__ import annotations

from .model import DeviceSpec, Field, QueueName

__all__ = ["SPEC"]

_LANES = ((0, "DUAL"), (1, "QUAD"), (2, "OCTAL"))
_MODES = ((0, "CPHA_0"), (1, "CPHA_1"), (2, "CPOL_0"), (3, "CPOL_1"), (4, "CS_HIGH"), (5, "LSB_FIRST"), (6, "LOOP"))

SPEC = DeviceSpec(
    number=45,
    title="SPI controller",
    section="5.21",
    fields=(
        Field("cs_max_number", 0, 1, unit="chip selects"),
        Field("cs_change_supported", 1, 1, values=((0, "no"), (1, "yes"))),
        Field("tx_nbits_supported", 2, 1, kind="hex", flags=_LANES),
        Field("rx_nbits_supported", 3, 1, kind="hex", flags=_LANES),
        Field("bits_per_word_mask", 4, 4, kind="hex", values=((0, "no limit"),)),
        Field("mode_func_supported", 8, 4, kind="hex", flags=_MODES),
        Field("max_freq_hz", 12, 4, unit="Hz", values=((0, "no limit"),)),
        Field("max_word_delay_ns", 16, 4, unit="ns"),
        Field("max_cs_setup_ns", 20, 4, unit="ns"),
        Field("max_cs_hold_ns", 24, 4, unit="ns"),
        Field("max_cs_inactive_ns", 28, 4, unit="ns"),
    ),
    queues=(QueueName("requestq", 0, answered=True),),
)
