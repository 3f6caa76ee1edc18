"""QEMU command lines as people and libvirt write them: bridges, several devices, options of the machine, JSON."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from uvirtio.bus.opening import open_function
from uvirtio.device import Device
from uvirtio.errors import LocatorError, NoSuchDevice
from uvirtio_drivers.rng import Rng

pytestmark = pytest.mark.needs("qemu")

_PORT = "-device pcie-root-port,id=rp1,port=0x10,chassis=1,bus=pcie.0,multifunction=on,addr=0x2"
_TWO = "qemu:-device virtio-serial-pci,id=s0 -device virtio-rng-pci,id=rng0"


def entropy_at(locator: str) -> str:
    """Read entropy, with an interrupt for it; returns the function's address."""
    with Device(open_function(locator)) as device:
        device.initialise(Rng.FEATURES, Rng.queues(device))
        assert len(set(Rng(device).read(64))) > 1
        assert device.notifications.interrupts() > 0
        return device.function.facts()["address"]


@pytest.mark.parametrize(
    ("locator", "address"),
    [
        (f"qemu:{_PORT} -device virtio-rng-pci,bus=rp1,addr=0x0?machine=q35", "01:00.0"),
        ("qemu:-device pci-bridge,id=b0,chassis_nr=1 -device virtio-rng-pci,bus=b0,addr=1", "01:01.0"),
        (
            "qemu:-device pci-bridge,id=b0,chassis_nr=1 -device pci-bridge,id=b1,chassis_nr=2,bus=b0,addr=2 "
            "-device pci-bridge,id=b2,chassis_nr=3 -device virtio-rng-pci,bus=b1,addr=3",
            "02:03.0",
        ),
        (f"qemu:rng?machine=q35&bus=rp1&args={quote('-device pcie-root-port,id=rp1')}", "01:00.0"),
        (f"qemu:rng?legacy=on&bus=b0&args={quote('-device pci-bridge,id=b0,chassis_nr=1')}", "01:00.0"),
    ],
    ids=["root port", "bridge", "bridge behind a bridge", "bus of args", "I/O ports behind a bridge"],
)
def test_a_device_behind_bridges_works(locator: str, address: str) -> None:
    bus, _, slot = address.partition(":")
    found = entropy_at(locator)
    assert found.startswith(f"{bus}:")
    assert found == address or "addr=" not in locator, slot


@pytest.mark.parametrize(
    "locator",
    [
        "qemu:rng?machine=q35,smm=off",
        "qemu:-machine q35,accel=tcg -device virtio-rng-pci",
        "qemu:-M type=q35 -m 2048M -cpu max -smp 2 -device virtio-rng-pci",
        "qemu:-accel tcg,thread=single -m size=512M,maxmem=2G,slots=2 -device virtio-rng-pci",
        'qemu:-device {"driver":"virtio-rng-pci","id":"r"} -netdev user,id=n -device virtio-net-pci,netdev=n?device=r',
    ],
)
def test_options_of_the_machine_are_the_users(locator: str) -> None:
    entropy_at(locator)


def test_memory_is_as_large_as_was_asked_for() -> None:
    with open_function("qemu:-m 1G -device virtio-rng-pci") as function:
        assert function.facts()["memory"].startswith("1024 MiB")


@pytest.mark.parametrize("name", ["rng0", "00:03.0", "0000:00:03.0"])
def test_one_of_several_devices_is_chosen(name: str) -> None:
    assert entropy_at(f"{_TWO}?device={name}") == "00:03.0"


def test_the_device_of_a_short_locator_is_meant_whatever_else_there_is() -> None:
    assert entropy_at(f"qemu:rng?args={quote('-device virtio-serial-pci,addr=1e')}") == "00:02.0"


@pytest.mark.parametrize(
    ("locator", "said"),
    [
        (_TWO, "several virtio functions; choose one by device=: s0 (00:02.0 1af4:1003), rng0 (00:03.0 1af4:1005)"),
        (f"{_TWO}?device=rng9", "device=rng9 is no virtio function of this QEMU; there are s0 (00:02.0"),
        ("qemu:-device e1000,id=nic", "no virtio function in it, only 00:00.0 8086:1237"),
    ],
)
def test_what_is_there_is_said_where_nothing_is_chosen(locator: str, said: str) -> None:
    with pytest.raises(NoSuchDevice) as error:
        open_function(locator)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-numa node", "-numa is not possible here: the guest's memory is one piece"),
        ("-m 64M", "at least 128M is needed"),
        ("-m much", "'much' is no size"),
        ("-machine microvm", "machine=microvm is not possible"),
        ('-device {"driver":', "is not JSON"),
        ("-device 'rng", "cannot be split into words"),
    ],
)
def test_what_stays_impossible_says_why(words: str, said: str) -> None:
    with pytest.raises(LocatorError) as error:
        open_function(f"qemu:{words}")
    assert said in str(error.value)
