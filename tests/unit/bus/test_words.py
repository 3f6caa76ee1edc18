"""QEMU's options are parted as a shell would, JSON as it stands."""

from __future__ import annotations

import pytest

from uvirtio.bus.qemu.words import MachineOptions, split


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  -device  rng,id=a ", ["-device", "rng,id=a"]),
        ("-x 'a b' \"c d\"e\\ f", ["-x", "a b", "c de f"]),
        ('-device {"a": {"b": "} {"}} -x', ["-device", '{"a": {"b": "} {"}}', "-x"]),
        ('-device \'{"a": {"b": 1}}\'', ["-device", '{"a": {"b": 1}}']),
        ("a{b", ["a{b"]),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert split(text) == words


def test_what_is_said_of_the_machine_is_parted_from_the_rest() -> None:
    said = MachineOptions()
    rest = said.take(split("-M q35,accel=kvm:tcg,smm=off -m 1G,slots=2 --enable-kvm -accel hvf -cpu max -device rng"))
    assert rest == ["-m", "slots=2", "-cpu", "max", "-device", "rng"]
    assert (said.machine, said.accelerators, said.memory) == ("q35,smm=off", ["kvm", "tcg", "kvm", "hvf"], 1 << 30)
    assert MachineOptions().take(["-m", "maxmem=1G"]) == ["-m", "maxmem=1G"]
    said.take(["-m", "512"])
    assert said.memory == 512 << 20
