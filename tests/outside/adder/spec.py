"""The type's table: id, feature bits, configuration fields, queues."""

from __future__ import annotations

from uvirtio.spec.devices import DeviceSpec, FeatureBit, Field, QueueName

#: Of those that virtio 1.4 leaves free.
NUMBER = 61
CARRY = 0

SPEC = DeviceSpec(
    NUMBER,
    "adder",
    features=(FeatureBit(CARRY, "ADDER_F_CARRY", "The device says how far it counts before it starts anew."),),
    fields=(Field("modulus", 0, 4, features=(CARRY,)),),
    queues=(QueueName("additions", 0, answered=True),),
)
