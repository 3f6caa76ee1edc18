"""Every driver under its workload on the emulated device of its type, suspended a hundred times with requests in flight."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.unit.drivers.support import running, suspends_of
from uvirtio.spec.ids import DeviceType
from uvirtio_drivers import BUILT_IN, find_driver, find_workload, workload_of
from uvirtio_drivers.workload import drain

LOCATORS = {
    "rng": "emulated:rng?",
    "blk": "emulated:blk?size=4M&",
    "blk, four queues": "emulated:blk?size=4M&queues=4&",
    "net": "emulated:net?",
    "net, three pairs": "emulated:net?queues=3&",
    "net, no peer": "emulated:net?peer=sink&",
    "net, large frames": "emulated:net?mtu=9000&",
    "net, the largest frames": "emulated:net?mtu=65535&",
    "console": "emulated:console?ports=3&",
    "console, no peer": "emulated:console?peer=sink&",
    "balloon": "emulated:balloon?pages=7&",
    "input": "emulated:input?",
}


def driver_of(locator: str):  # type: ignore[no-untyped-def]
    return find_driver(DeviceType[locator.partition(":")[2].partition("?")[0].upper()])


@pytest.mark.parametrize(
    "ring", ["", "features=%2bRING_PACKED&", "features=%2bIN_ORDER&", "features=-INDIRECT_DESC,-EVENT_IDX&"]
)
@pytest.mark.parametrize("locator", LOCATORS.values(), ids=LOCATORS)
def test_a_hundred_suspends_with_requests_in_flight_lose_nothing(locator: str, ring: str) -> None:
    with running(f"{locator}{ring}latency=0.004&depth=3", driver_of(locator), recorded=True) as (driver, device, bus):
        workload = workload_of(driver)
        cycles = list(suspends_of(driver, device, workload, 100))
        assert [reason for cycle in cycles for reason in cycle.reasons] == []
        assert all(cycle.in_flight for cycle in cycles)
        assert sum(cycle.left_waiting for cycle in cycles) > 100
        assert workload.submitted == workload.completed > 800
        assert workload.outstanding == 0
        assert workload.proves()
        assert bus.log.faults() == []


@pytest.mark.parametrize("locator", LOCATORS.values(), ids=LOCATORS)
def test_a_writable_field_takes_another_value_and_its_old_one(locator: str) -> None:
    with running(locator + "latency=0.001", driver_of(locator)) as (driver, device, _):
        writable = driver.WRITABLE
        if writable is None or not writable.field.exists(device.negotiated.accepted):
            assert driver.TYPE not in (DeviceType.BLK, DeviceType.BALLOON, DeviceType.INPUT)
            return
        field = writable.field
        before = device.configuration.read(field.offset, field.width)
        device.configuration.write(field.offset, field.width, writable.other(before))
        assert device.configuration.read(field.offset, field.width) == writable.other(before) != before
        device.configuration.write(field.offset, field.width, before)
        assert device.configuration.read(field.offset, field.width) == before


def test_what_was_written_is_in_the_image_and_what_is_in_the_image_is_read(tmp_path: Path) -> None:
    image = tmp_path / "image"
    contents = Random(5).randbytes(1 << 20)
    image.write_bytes(contents)
    with running(f"emulated:blk?image={image}", find_driver(DeviceType.BLK)) as (blk, _, _):
        assert blk.capacity == 2048
        assert blk.read(0, 1 << 20) == contents
        blk.write(100, contents[:51200])
        blk.write_zeroes(300, 10)
        blk.flush()
        assert blk.read(100, 51200) == contents[:51200]
    after = image.read_bytes()
    assert after[51200:102400] == contents[:51200]
    assert after[300 * 512 : 310 * 512] == bytes(5120)
    assert after[310 * 512 :] == contents[310 * 512 :]


def proof_on(image: Path) -> str:
    """What the workload of a disk on this file proves."""
    with running(f"emulated:blk?image={image}", find_driver(DeviceType.BLK)) as (blk, device, _):
        workload = workload_of(blk)
        workload.submit()
        workload.kick()
        drain(device, workload)
        workload.verify()
        return str(workload.proves())


def test_an_image_with_a_file_system_is_not_written_by_the_workload(tmp_path: Path) -> None:
    image = tmp_path / "image"
    contents = bytearray(1 << 20)
    contents[0x438:0x43A] = b"\x53\xef"
    image.write_bytes(contents)
    assert "ext2" in proof_on(image)
    assert image.read_bytes() == contents


def test_a_file_that_is_no_disk_at_all_is_not_written_and_an_empty_one_is_again_and_again(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("root:x:0:0:root:/root:/bin/bash\n" * 100)
    before = text.read_bytes()
    assert "something unknown at its beginning" in proof_on(text)
    assert text.read_bytes() == before
    empty = tmp_path / "empty"
    empty.write_bytes(bytes(1 << 20))
    for _ in range(2):
        assert "nothing was written" not in proof_on(empty)
    assert any(empty.read_bytes())


@pytest.mark.parametrize(
    "locator",
    ["emulated:balloon?", "emulated:blk?", "emulated:console?", "emulated:input?", "emulated:net?", "emulated:rng?"],
)
def test_memory_is_given_back_when_a_workload_is_closed_after_a_reset(locator: str) -> None:
    with running(locator + "latency=0.01", driver_of(locator)) as (driver, device, bus):
        free = None
        for _ in range(4):
            workload = workload_of(driver)
            workload.submit()
            workload.kick()
            assert workload.outstanding
            device.reset()
            workload.close()
            now = sum(end - start for _, start, end in bus.dma._free)
            assert free is None or now == free
            free = now
            device.begin()
            device.negotiate(driver.FEATURES, dependencies=driver.DEPENDENCIES)
            for index, limit in driver.queues(device).items():
                device.set_up_queue(index, limit)
            device.driver_ok()
            driver = type(driver)(device)
            driver.start()


def test_every_built_in_driver_is_found_and_says_what_it_is() -> None:
    for number in BUILT_IN:
        driver = find_driver(number)
        assert number == driver.TYPE
        assert {"scratch", "peer", "pairs"} >= find_workload(number).OPTIONS
