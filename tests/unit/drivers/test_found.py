"""How the driver and the workload of a device type are found: the built-in ones, and other people's."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from uvirtio import plugins
from uvirtio.errors import CannotRun
from uvirtio.spec.ids import DeviceType
from uvirtio_drivers import BUILT_IN, find_driver, find_workload, workload_of
from uvirtio_drivers.rng import Rng
from uvirtio_drivers.rng_workload import RngWorkload
from uvirtio_tools.cli import main

from .support import running


class VsockDriver(Rng):
    """Somebody's driver, of a device type that has no built-in one."""

    TYPE = DeviceType.VSOCK


def give(monkeypatch: pytest.MonkeyPatch, **groups: type) -> None:
    """Let these entry-point groups have a class for vsock."""

    def entries(group: str) -> dict[str, SimpleNamespace]:
        found = groups.get(group.replace(".", "_"))
        return {"vsock": SimpleNamespace(name="vsock", load=lambda: found)} if found else {}

    monkeypatch.setattr(plugins, "_entries", entries)


def test_every_built_in_driver_has_a_workload_of_its_name() -> None:
    for number in BUILT_IN:
        assert find_workload(number).__name__ == find_driver(number).__name__ + "Workload"


def test_the_workload_of_a_driver_is_made_with_its_options() -> None:
    with running("emulated:rng", Rng) as (rng, _, _):
        workload = workload_of(rng)
        assert isinstance(workload, RngWorkload)
        workload.close()
        with pytest.raises(TypeError, match="peer"):
            workload_of(rng, peer="echo")


def test_other_peoples_classes_are_found_by_the_short_name_of_the_type(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, uvirtio_drivers=VsockDriver, uvirtio_workloads=RngWorkload)
    assert find_driver(DeviceType.VSOCK) is VsockDriver
    assert find_workload(DeviceType.VSOCK) is RngWorkload
    with pytest.raises(CannotRun, match=r"no workload for device type 16 \(gpu\).*group uvirtio\.workloads"):
        find_workload(DeviceType.GPU)
    with pytest.raises(CannotRun, match=r"no driver for device type 16 \(gpu\).*group uvirtio\.drivers"):
        find_driver(DeviceType.GPU)


def test_a_driver_without_a_workload_leaves_only_the_status_to_judge(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    give(monkeypatch, uvirtio_drivers=VsockDriver)
    assert main(["suspend", "emulated:vsock", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["verdict"] == "WARN"
    assert any(
        "no workload for device type 19 (vsock)" in remark and "only the status can be judged" in remark
        for remark in result["remarks"]
    )
