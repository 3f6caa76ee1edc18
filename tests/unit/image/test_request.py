"""What stands on the kernel's command line is done."""

from __future__ import annotations

from uvirtio_tools.image.request import Request, parameters, read, words_of

DEVICES = ("0000:00:02.0", "0000:00:03.0")


def test_words_are_kept_together_by_double_quotes_as_the_kernel_does_it() -> None:
    line = 'console=ttyS0 quiet uvirtio.run="check --only core" "uvirtio.run=suspend --cycles 3"\n'
    assert list(parameters(line)) == [
        ("console", "ttyS0"), ("quiet", ""), ("uvirtio.run", "check --only core"), ("uvirtio.run", "suspend --cycles 3"),
    ]  # fmt: skip


def test_without_a_word_every_device_is_checked_and_the_machine_switched_off() -> None:
    assert read("console=ttyS0") == Request(("check",), "poweroff", ())
    assert words_of("check", DEVICES) == [["check", *DEVICES]]


def test_how_the_machine_ends_and_what_the_host_does_is_understood() -> None:
    asked = read("uvirtio.run=shell uvirtio.end=reboot uvirtio.events=set_link,change_config")
    assert asked == Request(("shell",), "reboot", ("set_link", "change_config"))
    assert read("uvirtio.end=explode").end == "poweroff"


def test_suspend_is_run_for_each_device_and_a_device_that_is_named_is_the_only_one() -> None:
    assert words_of("suspend --cycles 2", DEVICES) == [["suspend", "--cycles", "2", device] for device in DEVICES]
    assert words_of("suspend 00:09.0", DEVICES) == [["suspend", "00:09.0"]]
    assert words_of("check vfio:00:09.0 --only V1", DEVICES) == [["check", "vfio:00:09.0", "--only", "V1"]]
    assert words_of("check --only V1,V2", DEVICES) == [["check", "--only", "V1,V2", *DEVICES]]


def test_other_commands_are_left_as_they_are_and_without_devices_there_is_nothing_to_judge() -> None:
    assert words_of("list --json", DEVICES) == [["list", "--json"]]
    assert words_of("shell", ()) == [["shell"]]
    assert words_of("check", ()) == words_of("suspend", ()) == []
    assert words_of("check --list", ()) == [["check", "--list"]]


def test_a_check_is_told_how_to_ask_the_host_where_the_host_does_anything() -> None:
    assert words_of("check", DEVICES, ("set_link",), "/ask") == [["check", "--trigger-command", "/ask", *DEVICES]]
    assert words_of("check", DEVICES, (), "/ask") == [["check", *DEVICES]]


def test_survive_is_told_which_events_the_host_carries_out() -> None:
    assert words_of("survive --events 3", DEVICES, ("pause", "reset"), "/ask") == [
        ["survive", "--events", "3", "--event", "pause=/ask pause", "--event", "reset=/ask reset", *DEVICES]
    ]
    assert words_of("survive --event pause", DEVICES, ("reset",), "/ask") == [["survive", "--event", "pause", *DEVICES]]
