"""What a network device is told through its control queue."""

from __future__ import annotations

import json

from uvirtio.errors import DeviceError
from uvirtio.spec.devices.net import CTRL_MAC_ADDR, CTRL_RX, MRG_RXBUF
from uvirtio.spec.features import Features
from uvirtio_drivers.net import Net

from ..judging import names
from ..judging.ends import Skip
from ..judging.stage import Stage
from . import scenario

__all__: list[str] = []

#: Parts of a command: its head, its data, and the answer.
_PARTS = 3


@scenario("tell a network device what to receive", "NET10", "NET11", "NET12", "NET13", "NET14", dialects=())
def control(stage: Stage) -> None:
    """Promiscuous mode and all multicast on and off; another MAC address, and the one before.

    Each received frame is in one buffer, and the headers of those of the ordinary traffic are read.
    """
    stage.start(suspend=False, without=Features.of(MRG_RXBUF))
    driver = stage.bring_up.driver
    if not isinstance(driver, Net):
        raise Skip("there is no driver for network devices")
    if min(queue.size for queue in stage.device.queues.values()) < _PARTS:
        raise Skip(f"a queue of fewer than {_PARTS} entries has no room for a command")
    assert stage.device.negotiated is not None, "the device was started"
    accepted = stage.device.negotiated.accepted
    if heads := sorted({head for pair in driver.pairs for head in pair.heads}):
        stage.read(names.HEADS, json.dumps(heads))
    if CTRL_RX in accepted:
        for switch in (driver.promiscuous, driver.all_multicast):
            for on in (True, False):
                try:
                    switch(on)
                    answer = "OK"
                except DeviceError as error:
                    answer = str(error)
                stage.read(f"{names.ANSWER}{switch.__name__}", answer)
    if CTRL_MAC_ADDR in accepted:
        before = driver.mac
        for mac in (bytes((before[0] & 0xFE | 2, *before[1:5], before[5] ^ 1)), before):
            driver.set_mac(mac)
            stage.read(names.MAC, json.dumps([mac.hex(), driver.fields.data("mac").hex()]))
