"""Headers and control commands of a network device (virtio 1.4, 5.1.6)."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

__all__ = [
    "ACK_ERR",
    "ACK_OK",
    "COMMAND",
    "ETHERNET_HEADER",
    "FRAME_MAXIMUM",
    "HEADER",
    "HEADER_LEGACY",
    "MAC_LENGTH",
    "MTU_MINIMUM",
    "PAIRS_MAXIMUM",
    "PAIRS_SET",
    "STATUS_ANNOUNCE",
    "STATUS_LINK_UP",
    "AnnounceCommand",
    "CommandClass",
    "GsoType",
    "HeaderFlag",
    "MacCommand",
    "MqCommand",
    "RxCommand",
]

#: struct virtio_net_hdr: u8 flags, u8 gso_type, le16 hdr_len, gso_size, csum_start, csum_offset, num_buffers (5.1.6).
HEADER = Struct("<BBHHHHH")
#: The same without num_buffers: the legacy interface where MRG_RXBUF was not negotiated (5.1.6.1).
HEADER_LEGACY = Struct("<BBHHHH")
MAC_LENGTH = 6
#: Bytes of an Ethernet header, and of the longest frame without large receive (5.1.6.3).
ETHERNET_HEADER = 14
FRAME_MAXIMUM = 1514
#: Smallest value that a device may put into the field mtu (5.1.4.1).
MTU_MINIMUM = 68
#: Bits of the field status (5.1.4).
STATUS_LINK_UP = 1
STATUS_ANNOUNCE = 2
#: Head of a control command: u8 class, u8 command; its data and one device-writable ack byte follow (5.1.6.5).
COMMAND = Struct("<BB")
ACK_OK = 0
ACK_ERR = 1
#: Data of VQ_PAIRS_SET: le16 virtqueue_pairs, from 1 to max_virtqueue_pairs (5.1.6.5.6).
PAIRS_SET = Struct("<H")
#: Most queue pairs that a device can have (5.1.4.1).
PAIRS_MAXIMUM = 0x8000


class HeaderFlag(IntEnum):
    """``flags`` in the header."""

    NEEDS_CSUM = 1
    DATA_VALID = 2
    RSC_INFO = 4


class GsoType(IntEnum):
    """``gso_type`` in the header."""

    NONE = 0
    TCPV4 = 1
    UDP = 3
    TCPV6 = 4
    UDP_L4 = 5
    ECN = 0x80


class CommandClass(IntEnum):
    """``class`` of a control command."""

    RX = 0
    MAC = 1
    VLAN = 2
    ANNOUNCE = 3
    MQ = 4
    GUEST_OFFLOADS = 5
    NOTF_COAL = 6


class RxCommand(IntEnum):
    """Commands of class RX; the data is one byte, 0 off or 1 on (5.1.6.5.1)."""

    PROMISC = 0
    ALLMULTI = 1
    ALLUNI = 2
    NOMULTI = 3
    NOUNI = 4
    NOBCAST = 5


class MacCommand(IntEnum):
    """Commands of class MAC (5.1.6.5.2). TABLE_SET: two tables, each le32 entries and their addresses; ADDR_SET: six bytes."""

    TABLE_SET = 0
    ADDR_SET = 1


class AnnounceCommand(IntEnum):
    """The command of class ANNOUNCE; it has no data (5.1.6.5.4)."""

    ACK = 0


class MqCommand(IntEnum):
    """Commands of class MQ (5.1.6.5.5): the first for automatic receive steering, the others for what RSS and HASH_REPORT add."""

    VQ_PAIRS_SET = 0
    RSS_CONFIG = 1
    HASH_CONFIG = 2
