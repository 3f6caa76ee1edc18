"""The command lines by which VMMs are started."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from uvirtio.errors import UsageError
from uvirtio_tools.boot.vmms import VMMS, by_command, expanded, firecracker_config, named

VALUES = {
    "kernel": "/k", "initrd": "/i", "cmdline": 'console=ttyS0 uvirtio.run="check --only V1"', "memory": "512", "cpus": "2",
    "accelerator": "tcg", "cpu": "cortex-a57", "name": "uvirtio-1", "folder": "/tmp/f", "config": "/tmp/f/firecracker.json",
}  # fmt: skip


@pytest.mark.parametrize("vmm", VMMS.values(), ids=list(VMMS))
def test_every_place_is_filled_and_the_cmdline_stays_one_word(vmm) -> None:  # type: ignore[no-untyped-def]
    words = expanded(vmm, f"/bin/{vmm.words[0]}", VALUES, ["--device", "a b"])
    assert words[0] == f"/bin/{vmm.words[0]}"
    if vmm.name == "bhyve":
        assert "'a b'" in words[2]
        assert subprocess.run(["sh", "-n", "-c", words[2]], check=False).returncode == 0
    else:
        assert not [word for word in words if "{" in word and "driver" not in word]
        assert "a b" in words
        assert VALUES["cmdline"] in words or vmm.name == "firecracker"


def test_only_those_of_qemu_are_called_tested() -> None:
    assert {vmm.name for vmm in VMMS.values() if vmm.tested} == {"qemu-pc", "qemu-q35", "qemu-microvm", "qemu-virt"}


def test_qemu_is_whichever_machine_the_architecture_has() -> None:
    assert named("qemu", "x86_64").name == "qemu-pc"
    assert named("qemu", "aarch64").name == "qemu-virt"
    with pytest.raises(UsageError, match="qemu-pc is not started for aarch64"):
        named("qemu-pc", "aarch64")


def test_a_command_of_ones_own_gets_further_words_where_it_says_or_at_its_end() -> None:
    vmm = by_command("vmm -k {vmlinux} -i {initrd} -a {cmdline}")
    assert vmm.forms["x86_64"] == "vmlinux"
    assert expanded(vmm, "/vmm", VALUES, ["-d", "x"])[-2:] == ["-d", "x"]
    words = expanded(by_command("vmm {more} -k {kernel} -i {initrd} -a {cmdline}"), "/vmm", VALUES, ["-d"])
    assert words[1:3] == ["-d", "-k"]


def test_firecracker_is_told_by_a_file_with_somebodys_devices_in_it(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text('{"entropy": {}, "machine-config": {"vcpu_count": 9}}')
    told = json.loads(Path(firecracker_config(tmp_path, VALUES, str(tmp_path / "mine.json"))).read_text())
    assert told["entropy"] == {}
    assert told["boot-source"]["initrd_path"] == "/i"
    assert told["machine-config"] == {"vcpu_count": 2, "mem_size_mib": 512}
    with pytest.raises(UsageError, match="--config"):
        firecracker_config(tmp_path, VALUES, "/no/file")
