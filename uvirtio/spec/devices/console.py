"""Console device (virtio 1.4, 5.3)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

SIZE, MULTIPORT, EMERG_WRITE = 0, 1, 2

SPEC = DeviceSpec(
    number=3,
    title="console",
    section="5.3",
    features=(
        FeatureBit(SIZE, "CONSOLE_F_SIZE", "The fields cols and rows hold the size of the terminal."),
        FeatureBit(MULTIPORT, "CONSOLE_F_MULTIPORT", "There are several ports, and control queues that manage them."),
        FeatureBit(EMERG_WRITE, "CONSOLE_F_EMERG_WRITE", "A character can be written through the field emerg_wr."),
    ),
    fields=(
        Field("cols", 0, 2, unit="columns", features=(SIZE,)),
        Field("rows", 2, 2, unit="rows", features=(SIZE,)),
        Field("max_nr_ports", 4, 4, unit="ports", features=(MULTIPORT,)),
        Field("emerg_wr", 8, 4, writable=True, features=(EMERG_WRITE,), kind="hex"),
    ),
    queues=(
        QueueName("receiveq(port0)", 0, answered=False),
        QueueName("transmitq(port0)", 1, answered=True),
        QueueName("control receiveq", 2, answered=False, features=(MULTIPORT,)),
        QueueName("control transmitq", 3, answered=True, features=(MULTIPORT,)),
        QueueName("receiveq(port{n})", 4, answered=False, step=2, features=(MULTIPORT,)),
        QueueName("transmitq(port{n})", 5, answered=True, step=2, features=(MULTIPORT,)),
    ),
)
