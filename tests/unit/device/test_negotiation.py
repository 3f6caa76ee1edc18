"""Which of the offered features are accepted: those that are wanted, as far as what they require is accepted too."""

from __future__ import annotations

import pytest

from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.locator import parse
from uvirtio.device import Device
from uvirtio.errors import NegotiationFailed
from uvirtio.negotiation import choose
from uvirtio.spec.devices.net import CTRL_RX, CTRL_VQ, SPEC
from uvirtio.spec.features import COMMON_DEPENDENCIES, Feature, Features

NONE, BASE = Features(), Features.of(Feature.VERSION_1)


def test_what_is_offered_and_wanted_is_accepted_and_nothing_else() -> None:
    chosen = choose(Features.of(1, 2, 32), Features.of(2, 3, 32), BASE)
    assert chosen.accepted == Features.of(2, 32)
    assert chosen.offered == Features.of(1, 2, 32)
    assert chosen.remarks == ()


def test_a_feature_of_the_type_is_left_out_without_what_it_requires_and_so_is_what_requires_that() -> None:
    offered = Features.of(1, 2, 3, 32)
    chosen = choose(offered, offered - Features.of(3), BASE, {1: (2,), 2: (3,)})
    assert chosen.accepted == BASE
    assert set(chosen.remarks) == {
        "feature 1 is left out: it requires 2, which is not accepted",
        "feature 2 is left out: it requires 3, which is not accepted",
    }
    assert choose(offered, offered, BASE, {1: (2,), 2: (3,)}).accepted == offered


@pytest.mark.parametrize("dependencies", [None, {}, {1: (2,)}])
def test_what_every_device_requires_counts_whatever_a_type_requires(
    dependencies: dict[int, tuple[int, ...]] | None,
) -> None:
    bit, needs = next(iter(COMMON_DEPENDENCIES.items()))
    both = Features.of(bit, *needs)
    assert choose(both, both, NONE, dependencies).accepted == both
    assert choose(both, Features.of(bit), NONE, dependencies).accepted == NONE


def test_an_offer_that_lacks_what_it_requires_is_told() -> None:
    chosen = choose(Features.of(1, 32), BASE, BASE, {1: (2, 4)})
    assert chosen.remarks == ("the device offers feature 1 without 2, 4, which it requires (2.2.2 forbids that)",)


def test_a_feature_whose_register_is_not_there_is_left_out_with_the_reason() -> None:
    offered = Features.of(32, 40)
    chosen = choose(offered, offered, BASE, beyond=Features.of(40, 41))
    assert chosen.accepted == BASE
    (remark,) = chosen.remarks
    assert remark.startswith("feature 40 is left out: its register lies beyond the end of the COMMON structure")


@pytest.mark.parametrize("offered", [NONE, Features.of(3)])
def test_without_what_is_required_there_is_no_negotiation(offered: Features) -> None:
    with pytest.raises(NegotiationFailed, match="bits 32 are required") as raised:
        choose(offered, Features.of(3, 32), BASE)
    assert raised.value.rule == "VERSION_1"


def test_a_required_feature_that_is_offered_and_cannot_be_accepted_is_not_blamed_on_version_1() -> None:
    with pytest.raises(NegotiationFailed, match="bits 1 are required") as raised:
        choose(Features.of(1, 32), Features.of(1, 32), Features.of(1), {1: (2,)})
    assert raised.value.rule == ""


@pytest.mark.parametrize("how", ["negotiate", "initialise"])
def test_a_driver_does_not_accept_what_its_type_forbids(how: str) -> None:
    bus = EmulatedBus(parse(f"emulated:net?features=-{CTRL_VQ},+{CTRL_RX}"))
    with Device(bus) as device:
        if how == "negotiate":
            device.begin()
        chosen = getattr(device, how)(Features.of(CTRL_RX), dependencies=SPEC.dependencies)
        assert CTRL_RX in chosen.offered
        assert CTRL_RX not in chosen.accepted
        assert CTRL_RX not in device.transport.driver_features()
