"""``--pairs``: how many queue pairs of a network device the traffic goes over."""

from __future__ import annotations

import json

import pytest

from uvirtio_tools.cli import main

DEVICE = "emulated:net?queues=3&latency=0.003"


@pytest.mark.parametrize(
    ("words", "over"), [((), "over 3 queue pairs"), (("--pairs", "2"), "over 2 queue pairs"), (("--pairs", "1"), "")]
)
def test_traffic_goes_over_so_many_pairs(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], over: str) -> None:
    assert main(("suspend", DEVICE, "--cycles", "2", "--hold", "0.01", "--json", *words)) == 0
    proves = json.loads(capsys.readouterr().out)["workload"]["proves"]
    assert (over in proves) if over else ("queue pairs" not in proves)


@pytest.mark.parametrize(
    ("device", "count", "says"),
    [
        (DEVICE, "4", "4 queue pairs cannot be used: 1 to 3 can"),
        ("emulated:net", "2", "NET_F_MQ was not negotiated"),
        ("emulated:rng", "1", "--pairs is for the workloads of network devices"),
        (DEVICE, "0", "at least 1 is needed"),
    ],
)
def test_a_number_that_the_device_does_not_have_is_a_mistake_of_usage(
    capsys: pytest.CaptureFixture[str], device: str, count: str, says: str
) -> None:
    try:
        status = main(("suspend", device, "--pairs", count))
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else -1
    assert status == 2
    assert says in capsys.readouterr().err.replace("\n", " ")


def test_checks_take_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("check", DEVICE, "--only", "V9", "--pairs", "2", "--json")) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "uvirtio/check"
    assert "over 2 queue pairs" in document["workload"]
