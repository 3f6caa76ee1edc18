"""Locators: one string that names a device everywhere, in the library and on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..errors import LocatorError

__all__ = ["GRAMMAR", "OF_THIS_MACHINE", "SCHEMES", "Locator", "parse"]

GRAMMAR = """a device is named by one of
  0000:00:05.0  00:05.0  5.0             a PCI address (through uio_pci_generic)
  virtio3  eth0  vda                     what the kernel calls it
  vfio:0000:00:05.0  vfio:virtio3        the same through vfio-pci, which needs an IOMMU
  emulated:TYPE[?profile=P&fault=F&...]  a software device in this process
  qemu:TYPE[?PROPERTY=VALUE&...]         a device of a QEMU that is started for it, without a guest
  qemu:-device NAME[,PROPERTY=VALUE...]  the same in QEMU's own words; ?qemu=PATH names the QEMU to start
  vfio-user:PATH                         a vfio-user server's socket
  vhost-user:PATH?type=TYPE              a vhost-user backend's socket, through a QEMU that is started for it"""

_ADDRESS = re.compile(r"(?:(?:[0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:)?[0-9a-fA-F]{1,2}\.[0-7]")
_KERNEL_NAME = re.compile(r"(?:virtio\d+|(?:vd|sd|hd|xvd)[a-z]+|[a-z][a-z0-9_-]*\d[a-z0-9]*)")
#: What stands before the colon: the buses.
SCHEMES = ("emulated", "qemu", "vfio-user", "vhost-user", "uio", "vfio")
#: Those whose devices are PCI functions of this machine.
OF_THIS_MACHINE = ("uio", "vfio")


@dataclass(frozen=True, slots=True)
class Locator:
    """A parsed locator: ``bus`` (``uio`` or one of :data:`SCHEMES`), ``target`` on it, ``parameters``."""

    bus: str
    target: str
    parameters: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        target = re.sub("[%?]", lambda match: f"%{ord(match[0]):02x}", self.target)
        text = target if self.bus == "uio" else f"{self.bus}:{target}"
        if self.parameters:
            text += "?" + "&".join(f"{_quote(name)}={_quote(value)}" for name, value in self.parameters.items())
        return text

    @property
    def of_this_machine(self) -> bool:
        """Whether it names a PCI function of this machine, which a kernel driver may have."""
        return self.bus in OF_THIS_MACHINE

    def check_parameters(self, *known: str) -> None:
        """Raise :class:`LocatorError` when there is a parameter that is not among ``known``."""
        for name in self.parameters:
            if name not in known:
                listing = ", ".join(sorted(known)) or "none"
                raise LocatorError(
                    f"{self}: unknown parameter {name!r}; {self.bus}:{self.target} knows {listing}\n{GRAMMAR}"
                )

    def flag(self, name: str, default: bool = False) -> bool:
        """An on/off parameter. Raises :class:`LocatorError` for anything but on, off, yes, no, true, false, 1, 0."""
        value = self.parameters.get(name)
        if value is None:
            return default
        if value.lower() in ("on", "yes", "true", "1"):
            return True
        if value.lower() in ("off", "no", "false", "0"):
            return False
        raise LocatorError(f"{self}: {name}={value} is neither on nor off")


def _quote(text: str) -> str:
    return re.sub(r"[%&?=#\s]", lambda match: f"%{ord(match[0]):02x}", text)


def _unquote(text: str, whole: str) -> str:
    def decode(match: re.Match[str]) -> str:
        if not match[1]:
            raise LocatorError(f"{whole}: a percent sign has to be followed by two hex digits\n{GRAMMAR}")
        return chr(int(match[1], 16))

    return re.sub(r"%([0-9a-fA-F]{2})?", decode, text)


def parse(text: str) -> Locator:
    """Parse a locator. Raises :class:`LocatorError`, with the grammar, when it cannot be understood."""
    body, question, query = text.partition("?")
    body = body.removeprefix("/dev/")
    parameters: dict[str, str] = {}
    if question:
        for item in query.split("&"):
            name, equals, value = item.partition("=")
            if not name or not equals:
                raise LocatorError(f"{text}: {item!r} is not NAME=VALUE\n{GRAMMAR}")
            name = _unquote(name, text)
            if name in parameters:
                raise LocatorError(f"{text}: parameter {name!r} is given twice\n{GRAMMAR}")
            parameters[name] = _unquote(value, text)
    if _ADDRESS.fullmatch(body) or _KERNEL_NAME.fullmatch(body):
        return Locator("uio", body, parameters)
    scheme, colon, target = body.partition(":")
    if not colon or scheme not in SCHEMES:
        raise LocatorError(f"{text!r} does not name a device; {GRAMMAR}")
    if not target:
        raise LocatorError(f"{text}: nothing stands behind {scheme}:\n{GRAMMAR}")
    if scheme in OF_THIS_MACHINE and not (_ADDRESS.fullmatch(target) or _KERNEL_NAME.fullmatch(target)):
        raise LocatorError(f"{text!r} does not name a device; {GRAMMAR}")
    return Locator(scheme, _unquote(target, text), parameters)
