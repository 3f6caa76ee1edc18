"""``uvirtio boot`` against programs that behave as a VMM: how each way of ending is told, and with which status."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from uvirtio_tools.boot import guest
from uvirtio_tools.cli import main

ROOT = Path(__file__).parents[3]
FAKE = Path(__file__).with_name("fake_vmm.py")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A kernel and an initramfs that nobody reads, and an environment that finds our modules."""
    monkeypatch.setenv("UVIRTIO_FAKE", str(tmp_path / "mark"))
    monkeypatch.setattr(guest, "_GOING", 0.5)
    for name in ("kernel", "initrd"):
        (tmp_path / name).write_bytes(b"x")
    return ["--kernel", str(tmp_path / "kernel"), "--initrd", str(tmp_path / "initrd")]


def command(way: str) -> str:
    path = ":".join(str(ROOT / place) for place in (".", "tools", "drivers"))
    python = [sys.executable, str(FAKE), "{kernel}", "{initrd}", "{cmdline}", way]
    return shlex.join(["/usr/bin/env", f"PYTHONPATH={path}", *python])


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(["boot", *words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize(
    ("way", "status", "sentence"),
    [
        ("passes", 0, "PASS  0000:00:02.0  as it should be"),
        ("fails", 1, "PASS  0000:00:02.0  as it should be"),
        ("stays", 0, "PASS  0000:00:02.0  as it should be"),
        (
            "silent",
            1,
            "uvirtio: the console has said nothing in 1 s: the kernel was not started, hangs, or its serial console",
        ),
        ("no-guest", 1, "uvirtio: the guest was not up after 1 s: it hangs, or needs a longer --ready"),
        ("refuses", 3, "uvirtio: the VMM does not start this machine: it ended with status 1\n  |: no such machine"),
        ("crashes-first", 1, "uvirtio: the VMM was ended by SIGSEGV before its console said anything"),
        ("dies", 1, "uvirtio: the VM died: the VMM was ended by SIGABRT while `suspend 0000:00:02.0` had not ended\n"),
        ("garbles", 3, "uvirtio: result.json of command 1: "),
    ],
)
def test_each_way_of_ending_has_its_status_and_its_sentence(
    way: str, status: int, sentence: str, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ready = "1" if way in ("silent", "no-guest") else "30"
    ended, out, err = run(capsys, "--command", command(way), *files, "--ready", ready)
    assert ended == status
    assert sentence in out + err


def test_a_machine_that_hangs_fails_with_its_last_lines(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status, _out, err = run(capsys, "--command", command("hangs"), *files, "--timeout", "2")
    assert status == 1
    assert "the VM hangs, or needs a longer --timeout: `suspend 0000:00:02.0` had not ended after 2 s" in err
    assert "  |: working\n" in err


def test_what_died_beside_others_is_run_again_alone_and_that_counts(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        "--command",
        command("dies-beside"),
        *files,
        "--run",
        "suspend",
        "--run",
        "suspend",
        "--jobs",
        "2",
        "--json",
    )
    status, out, err = run(capsys, *words)
    document = json.loads(out)
    assert status == document["status"] == 0
    assert sorted(each["again"] for each in document["runs"]) == [False, True]
    assert "the VM died" in err


def test_the_host_does_what_the_guest_asks_for_and_answers(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = tmp_path / "done"
    event = f'change_config=echo "$UVIRTIO_EVENT $UVIRTIO_ARGUMENTS" > {done}; echo changed'
    status, _out, _err = run(
        capsys, "--command", command("asks"), *files, "--event", event, "--keep", str(tmp_path / "kept")
    )
    assert status == 0
    assert done.read_text() == 'change_config {"a": 1}\n'
    console = (tmp_path / "kept/1.console").read_text()
    assert "heard [uvirtio] answer change_config 0 changed" in console
    assert "uvirtio.events=change_config" in console
    assert json.loads((tmp_path / "kept/1-1.json").read_text())["verdict"] == "PASS"
    assert (tmp_path / "kept/1-1.tap").read_text().startswith("KTAP version 1")


def test_what_the_host_was_not_told_how_to_do_is_answered_at_once(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "--command", command("asks"), *files, "--keep", str(tmp_path / "kept"))
    assert "answer change_config 1 the host has no --event change_config" in (tmp_path / "kept/1.console").read_text()


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("--command", "vmm {kernel}"), 2, "--command needs {kernel} or {vmlinux}, {initrd} and {cmdline} in it"),
        (("--command", "vmm {colonel} {initrd} {cmdline}"), 2, "there is no {colonel}; there are {cmdline}"),
        (("--command", "'"), 2, "--command: No closing quotation"),
        (("--command", "no-such-vmm {kernel} {initrd} {cmdline}"), 3, "no-such-vmm is not installed"),
        (("--command", "/no/vmm {kernel} {initrd} {cmdline}"), 2, "/no/vmm is not a program that can be run"),
        (
            ("--command", "cat {kernel} {initrd} {cmdline}", "--kernel", "/no/kernel"),
            2,
            "--kernel /no/kernel: No such file",
        ),
        (("--command", "cat {kernel} {initrd} {cmdline}", "--event", "x"), 2, "--event x: NAME=COMMAND is needed"),
        (("--command", "cat {kernel} {initrd} {cmdline}", "--run", 'a"b'), 2, "keeps words together by"),
        (("--command", "cat {kernel} {initrd} {cmdline}", "--arch", "riscv64"), 2, "there are no images for riscv64"),
        (("--vmm", "bhyve", "--arch", "aarch64"), 2, "bhyve is not started for aarch64 here"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_before_anything_is_started(
    words: tuple[str, ...], status: int, sentence: str, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if "--kernel" not in words:
        words = (*words, *files)
    else:
        words = (*words, *files[2:])
    ended, out, err = run(capsys, *words)
    assert (ended, out) == (status, "")
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_no_image_is_said_with_what_makes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _out, err = run(capsys, "--command", "cat {kernel} {initrd} {cmdline}", "--image", str(tmp_path))
    assert status == 3
    assert err == f"uvirtio: there is no image in {tmp_path}: uvirtio image build\n"


def test_ctrl_c_leaves_no_process(files: list[str], tmp_path: Path) -> None:
    mark = f"uvirtio-test-{os.getpid()}"
    vmm = command("hangs").replace("env ", f"env MARK={mark} ", 1)
    words = [
        sys.executable,
        "-m",
        "uvirtio",
        "boot",
        "--command",
        vmm,
        *files,
        "--run",
        "list",
        "--run",
        "list",
        "--jobs",
        "2",
    ]
    boot = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
    assert boot.stderr is not None
    assert b"Linux 1.2.3" in boot.stderr.readline() + boot.stderr.readline()
    assert _bearing(mark)
    boot.send_signal(signal.SIGINT)
    assert boot.wait(20) == 130
    boot.stderr.close()
    deadline = time.monotonic() + 10
    while _bearing(mark) and time.monotonic() < deadline:
        time.sleep(0.05)  # the kernel takes a process away in its own time
    assert not _bearing(mark)


def _bearing(mark: str) -> list[str]:
    """Processes that have this in their environment."""
    found = []
    for each in filter(str.isdigit, os.listdir("/proc")):
        try:
            if f"MARK={mark}".encode() in Path(f"/proc/{each}/environ").read_bytes():
                found.append(each)
        except OSError:
            continue
    return found


def test_two_of_them_at_once_do_not_disturb_each_other(files: list[str]) -> None:
    words = [sys.executable, "-m", "uvirtio", "boot", "--command", command("passes"), *files]
    both = [subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(2)]
    for each in both:
        out, _ = each.communicate(timeout=60)
        assert each.returncode == 0
        assert out == b"PASS  0000:00:02.0  as it should be\n"


def test_a_machine_that_died_stands_in_the_files_as_well(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [tmp_path / "a.tap", tmp_path / "a.xml", tmp_path / "a.json"]
    outputs = [word for path in results for word in ("-o", str(path))]
    status, out, _err = run(capsys, "--command", command("dies"), *files, *outputs)
    assert status == 1
    assert "1 ERROR" in out
    assert "not ok 1 run" in results[0].read_text()
    assert "the VM died: the VMM was ended by SIGABRT" in results[1].read_text()
    assert json.loads(results[2].read_text())["stopped"].startswith("the VM died")


def test_a_shell_gets_the_terminal_and_one_key_ends_it(files: list[str]) -> None:
    """The keys reach the console, what it says reaches the terminal, and the terminal is as it was."""
    master, terminal = os.openpty()
    before = termios.tcgetattr(terminal)
    words = [sys.executable, "-m", "uvirtio", "boot", "--command", command("types"), *files, "--run", "shell"]
    boot = subprocess.Popen(words, cwd=ROOT, stdin=terminal, stdout=terminal, stderr=subprocess.DEVNULL)
    seen = b""
    deadline = time.monotonic() + 30
    typed = False
    while b"typed: hello" not in seen and time.monotonic() < deadline:
        seen += os.read(master, 1 << 12)
        if b"working" in seen and not typed:
            os.write(master, b"hello\n")
            typed = True
    os.write(master, b"\x1d")
    assert boot.wait(20) == 130
    assert b"typed: hello" in seen
    assert termios.tcgetattr(terminal) == before
    os.close(master)
    os.close(terminal)
