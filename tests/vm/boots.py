"""What guests there are: their memory and their devices. A guest test picks one with ``@pytest.mark.boot(NAME)``."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["BOOTS", "DEFAULT", "Boot", "Device", "Served", "Stock"]


@dataclass(frozen=True, slots=True)
class Device:
    """A PCI device under test.

    `unpluggable` puts it behind a root port of its own, the only place QEMU unplugs from. `msix=False` keeps the
    guest's kernel from using MSI-X on it, so that its driver takes INTx.
    """

    name: str
    unpluggable: bool = field(default=False, kw_only=True)
    msix: bool = field(default=True, kw_only=True)


@dataclass(frozen=True, slots=True)
class Served(Device):
    """A device of ours: ``uvirtio serve TYPE`` in a process of its own, in QEMU through vfio-user-pci."""

    type: str
    profile: str = "virtio-1.4"
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stock(Device):
    """A device that QEMU itself models: its driver and properties as for ``-device``.

    ``behind``: QEMU options of what stands behind it and comes first, ``plugged``: of what is plugged into it, after
    it; in both, ``{shared}`` is the folder that the guest sees too. With ``image``, a file of so many random bytes lies
    there, ``NAME.img``.
    """

    driver: str
    behind: tuple[str, ...] = ()
    plugged: tuple[str, ...] = ()
    image: int = 0


@dataclass(frozen=True, slots=True)
class Boot:
    """One guest: booted when the first test that wants it is due, and ended after the last one.

    With `distribution` it runs in the distribution's QEMU where there is one, which need not know vfio-user. With `iommu`
    there is one that translates and remaps interrupts, in front of every device.
    """

    devices: tuple[Device, ...]
    memory: str = "1G"
    cpus: int = 1
    distribution: bool = False
    iommu: bool = False


#: Those that our devices do not offer by default.
_EVERY_RING_FEATURE = "+IN_ORDER,+ORDER_PLATFORM,+NOTIFICATION_DATA,+NOTIF_CONFIG_DATA"

#: A device of ours that is behind an IOMMU has to say so.
_PLATFORM = ("--set", "features=+ACCESS_PLATFORM")

_STOCK_RNG = Stock("qemu-rng", "virtio-rng-pci,disable-legacy=on")

#: A device of each type that QEMU 7.2 and later ones model by themselves, and of the kinds of input devices.
_EVERY_TYPE = (
    _STOCK_RNG,
    Stock(
        "qemu-blk",
        "virtio-blk-pci,disable-legacy=on,drive=disk,num-queues=3,queue-size=64,serial=zoo-disk,discard=on",
        behind=(
            "-blockdev",
            "raw,node-name=disk,discard=unmap,file.driver=file,file.filename={shared}/qemu-blk.img",
        ),
        image=8 << 20,
    ),
    Stock(
        "qemu-net",
        "virtio-net-pci,disable-legacy=on,netdev=wire,mac=52:54:00:0a:0b:0c,host_mtu=1400,speed=1000,duplex=full",
        behind=(
            *("-netdev", "user,id=wire,restrict=on"),
            *("-object", "filter-dump,id=dump,netdev=wire,file={shared}/qemu-net.pcap"),
        ),
    ),
    Stock(
        "qemu-console",
        "virtio-serial-pci,disable-legacy=on,max_ports=3",
        behind=("-chardev", "file,id=lines,path={shared}/qemu-console.out"),
        plugged=("-device", "virtserialport,bus=qemu-console.0,nr=1,chardev=lines,name=org.uvirtio.lines"),
    ),
    Stock("qemu-balloon", "virtio-balloon-pci,disable-legacy=on,deflate-on-oom=on,free-page-reporting=on"),
    Stock("qemu-input", "virtio-keyboard-pci,serial=keys-1"),
    Stock("qemu-tablet", "virtio-tablet-pci,serial=tablet-1"),
    Stock("qemu-mouse", "virtio-mouse-pci"),
    Stock(
        "qemu-9p",
        "virtio-9p-pci,disable-legacy=on,fsdev=folder,mount_tag=zoo-folder",
        ("-fsdev", "local,id=folder,path={shared},security_model=none,readonly=on"),
    ),
    Stock("qemu-scsi", "virtio-scsi-pci,disable-legacy=on,num_queues=2,max_sectors=512,cmd_per_lun=7"),
    Stock("qemu-gpu", "virtio-gpu-pci,max_outputs=3"),
    Stock("qemu-crypto", "virtio-crypto-pci,cryptodev=cipher", ("-object", "cryptodev-backend-builtin,id=cipher")),
    Stock(
        "qemu-mem",
        "virtio-mem-pci,memdev=more,requested-size=64M",
        # QEMU takes -m in pieces: virtme-ng gives the size.
        ("-m", "maxmem=4G", "-object", "memory-backend-ram,id=more,size=128M"),
    ),
    Stock(
        "qemu-pmem",
        "virtio-pmem-pci,memdev=kept",
        ("-object", "memory-backend-file,id=kept,share=on,size=2M,mem-path={shared}/qemu-pmem.img"),
        image=2 << 20,
    ),
    Stock("qemu-iommu", "virtio-iommu-pci"),
)

BOOTS: dict[str, Boot] = {
    "main": Boot(
        (
            _STOCK_RNG,
            Served("rng-1.4", "rng", options=("--latency", "0.01")),
            Served("rng-intx", "rng", msix=False),
            Served("rng-crosvm", "rng", "crosvm"),
            Served("rng-rfc", "rng", "rfc"),
            Served("rng-store", "rng", "qemu-store"),
            Served("rng-stuck", "rng", "stuck"),
            Served("rng-refuses", "rng", "refuses"),
            Served("rng-refuses-resume", "rng", "refuses-resume"),
            Served("rng-rings", "rng", options=("--latency", "0.01", "--set", f"features={_EVERY_RING_FEATURE}")),
            Served("rng-doomed", "rng"),
        )
    ),
    "types": Boot(
        (
            Served("blk", "blk", options=("--latency", "0.01", "--set", "queues=2")),
            Served("net", "net", options=("--latency", "0.01", "--set", "queues=2")),
            Served("net-station", "net", options=("--set", "peer=responder", "--set", "queues=2")),
            Served("console", "console", options=("--latency", "0.01")),
            Served("balloon", "balloon", options=("--latency", "0.01")),
            Served("input", "input", options=("--latency", "0.01")),
        )
    ),
    "large": Boot(
        (
            # Of a hypervisor that calls itself what no terminal should be given.
            Stock(
                "qemu-rng",
                "virtio-rng-pci,disable-legacy=on",
                behind=("-smbios", "type=1,manufacturer=[/]\x1b]0;own\x07,product=[bold]\x1b[2J,version=<b>[/bold][/]"),
            ),
            Served("rng-1.4", "rng"),
        ),
        memory="6G",
    ),
    # Devices of ours without an INTx pin, as some hypervisors' have none. Two CPUs, so that an interrupt can be moved.
    "msix": Boot(
        (
            _STOCK_RNG,
            Stock(
                "qemu-blk",
                "virtio-blk-pci,disable-legacy=on,drive=disk",
                behind=("-blockdev", "raw,node-name=disk,file.driver=file,file.filename={shared}/qemu-blk.img"),
                image=4 << 20,
            ),
            Stock(
                "qemu-net",
                "virtio-net-pci,disable-legacy=on,netdev=wire",
                behind=("-netdev", "user,id=wire,restrict=on"),
            ),
            Served("rng-quiet", "rng", options=("--latency", "0.01", "--set", "intx=off")),
            Served("blk-quiet", "blk", options=("--latency", "0.01", "--set", "intx=off", "--set", "size=1M")),
            Served("net-quiet", "net", options=("--latency", "0.01", "--set", "intx=off")),
        ),
        cpus=2,
    ),
    # Behind an IOMMU, with memory above 4 GiB: the way in is VFIO.
    "vfio": Boot(
        (
            Stock("qemu-rng", "virtio-rng-pci,disable-legacy=on,iommu_platform=on"),
            Stock(
                "qemu-blk",
                "virtio-blk-pci,disable-legacy=on,iommu_platform=on,drive=disk",
                behind=("-blockdev", "raw,node-name=disk,file.driver=file,file.filename={shared}/qemu-blk.img"),
                image=4 << 20,
            ),
            Stock(
                "qemu-net",
                "virtio-net-pci,disable-legacy=on,iommu_platform=on,netdev=wire",
                behind=("-netdev", "user,id=wire,restrict=on"),
            ),
            # Its own device goes past the IOMMU, as its feature bits say.
            Stock("past-rng", "virtio-rng-pci,disable-legacy=on"),
            # Two functions that share a group.
            Stock(
                "pair",
                "virtio-rng-pci,disable-legacy=on,iommu_platform=on,multifunction=on",
                plugged=("-device", "virtio-rng-pci,disable-legacy=on,iommu_platform=on,id=twin,bus=pcie.0,addr=14.1"),
            ),
            Served("rng", "rng", options=("--latency", "0.01", *_PLATFORM)),
            Served("blk", "blk", options=("--latency", "0.01", *_PLATFORM, "--set", "size=1M")),
            Served("net", "net", options=("--latency", "0.01", *_PLATFORM)),
            Served("rng-quiet", "rng", options=("--latency", "0.01", *_PLATFORM, "--set", "intx=off")),
            Stock("doomed", "virtio-rng-pci,disable-legacy=on,iommu_platform=on", unpluggable=True),
        ),
        memory="6G",
        iommu=True,
    ),
    "zoo": Boot(
        (
            *_EVERY_TYPE,
            Stock("qemu-multitouch", "virtio-multitouch-pci"),
            Stock("qemu-sound", "virtio-sound-pci,audiodev=quiet,streams=1", ("-audiodev", "none,id=quiet")),
            Stock("qemu-rtc", "virtio-rtc-pci"),
            Stock("legacy-rng", "virtio-rng-pci,disable-modern=on,disable-legacy=off"),
            Served("rng-1.4", "rng"),
            Served("vsock", "vsock", options=("--set", "guest_cid=0x01234567")),
            Served(
                "fs",
                "fs",
                options=("--set", "tag=zoo", "--set", "num_request_queues=2", "--set", "notify_buf_size=4096"),
            ),
            # A physical function; its virtual ones (SR-IOV) come when the guest asks for them.
            Stock(
                "sriov",
                "virtio-net-pci,disable-legacy=on,netdev=physical",
                behind=(
                    *("-netdev", "user,id=physical,restrict=on", "-netdev", "user,id=virtual,restrict=on"),
                    *("-device", "virtio-net-pci,bus=port-sriov,addr=0.1,sriov-pf=sriov,netdev=virtual"),
                ),
                unpluggable=True,
            ),
        )
    ),
    # In an older QEMU, so that this one's devices have their turn in a guest as well.
    "unplug": Boot(
        (
            *_EVERY_TYPE,
            Stock("doomed", "virtio-rng-pci,disable-legacy=on", unpluggable=True),
            Stock("spare", "virtio-rng-pci,disable-legacy=on", unpluggable=True),
            Stock("shown", "virtio-rng-pci,disable-legacy=on", unpluggable=True),
        ),
        distribution=True,
    ),
    "many": Boot(tuple(Stock(f"rng-{number}", "virtio-rng-pci,disable-legacy=on") for number in range(64))),
}
DEFAULT = "main"
