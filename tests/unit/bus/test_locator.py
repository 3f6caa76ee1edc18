"""Locators: what is understood, and what is refused with the grammar."""

from __future__ import annotations

import pytest

from uvirtio.bus.locator import parse
from uvirtio.errors import LocatorError


@pytest.mark.parametrize(
    ("text", "bus", "target", "parameters"),
    [
        ("0000:00:05.0", "uio", "0000:00:05.0", {}),
        ("00:05.0", "uio", "00:05.0", {}),
        ("5.0", "uio", "5.0", {}),
        ("00:05.0?legacy=on", "uio", "00:05.0", {"legacy": "on"}),
        ("virtio3", "uio", "virtio3", {}),
        ("eth0", "uio", "eth0", {}),
        ("vda", "uio", "vda", {}),
        ("vfio:0000:00:05.0", "vfio", "0000:00:05.0", {}),
        ("vfio:virtio3?interface=iommufd", "vfio", "virtio3", {"interface": "iommufd"}),
        ("emulated:rng", "emulated", "rng", {}),
        ("emulated:rng?profile=virtio-1.4&fault=V4", "emulated", "rng", {"profile": "virtio-1.4", "fault": "V4"}),
        ("qemu:rng?disable-legacy=on", "qemu", "rng", {"disable-legacy": "on"}),
        ("vfio-user:/run/x.sock", "vfio-user", "/run/x.sock", {}),
        ("vfio-user:/run/a%3fb", "vfio-user", "/run/a?b", {}),
        ("emulated:rng?note=a%26b%3Dc", "emulated", "rng", {"note": "a&b=c"}),
    ],
)
def test_each_form_is_understood_and_prints_as_itself(
    text: str, bus: str, target: str, parameters: dict[str, str]
) -> None:
    locator = parse(text)
    assert (locator.bus, locator.target, locator.parameters) == (bus, target, parameters)
    assert parse(str(locator)) == locator


@pytest.mark.parametrize(
    "text",
    ["", "rng", "emulted:rng", "emulated:", "00:05", "00:05.8", "0000:00:05.0.1", "emulated:rng?profile", "emulated:rng?=x",
     "emulated:rng?a=1&a=2", "emulated:rng?a=%zz", "/run/x.sock", "uio:nonsense", "vfio:/run/x.sock", "vfio:"],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused_with_the_grammar(text: str) -> None:
    with pytest.raises(LocatorError, match="a PCI address"):
        parse(text)


def test_an_unknown_parameter_is_named_with_the_known_ones() -> None:
    with pytest.raises(LocatorError, match=r"unknown parameter 'profil'.*knows fault, profile"):
        parse("emulated:rng?profil=x").check_parameters("profile", "fault")


@pytest.mark.parametrize(("word", "value"), [("on", True), ("off", False), ("YES", True), ("0", False)])
def test_flags_are_on_or_off(word: str, value: bool) -> None:
    assert parse(f"00:05.0?legacy={word}").flag("legacy") is value


def test_a_flag_that_is_neither_on_nor_off_is_refused() -> None:
    with pytest.raises(LocatorError, match="neither on nor off"):
        parse("00:05.0?legacy=maybe").flag("legacy")


@pytest.mark.parametrize(
    ("text", "here"),
    [("5.0", True), ("uio:eth0", True), ("vfio:5.0", True), ("emulated:rng", False), ("qemu:rng", False)],
)
def test_which_locators_name_a_function_of_this_machine(text: str, here: bool) -> None:
    assert parse(text).of_this_machine is here
