"""Network devices (5.1): NET rows."""

from __future__ import annotations

from ..ids import DeviceType
from .model import Level, Side, Statement, Unjudged

__all__ = ["ROWS", "UNJUDGED"]


def _row(
    number: int,
    level: Level,
    text: str,
    section: str,
    *sentences: str,
    implies: tuple[str, ...] = (),
    deviates: tuple[str, ...] = (),
    rule: str = "",
) -> Statement:
    return Statement(
        f"NET{number}", level, Side.DEVICE, text, section, (), (), implies, deviates, (DeviceType.NET,), rule, sentences
    )


ROWS: tuple[Statement, ...] = (
    _row(1, Level.MUST, "max_virtqueue_pairs is 1 to 0x8000.", "5.1.4.1", "5.1.4.1#1", rule="max_virtqueue_pairs"),
    _row(2, Level.MUST, "mtu is 68 to 65535.", "5.1.4.1", "5.1.4.1#2", implies=("NET3",), rule="mtu"),
    _row(3, Level.SHOULD, "mtu is at least 1280.", "5.1.4.1", "5.1.4.1#3"),
    _row(4, Level.MUST, "RSS keys of at least 40 bytes are taken.", "5.1.4.1", "5.1.4.1#7"),
    _row(5, Level.MUST, "Indirection tables of at least 128 entries are taken.", "5.1.4.1", "5.1.4.1#8"),
    _row(6, Level.MUST, "speed is at most 0x7fffffff, or all-ones for unknown.", "5.1.4.1", "5.1.4.1#10"),
    _row(7, Level.MUST, "duplex is 0 or 1, or 0xff for unknown.", "5.1.4.1", "5.1.4.1#11"),
    _row(8, Level.SHOULD_NOT, "HASH_REPORT is not offered without CTRL_VQ.", "5.1.4.1", "5.1.4.1#13", implies=("B1",)),
    _row(
        9, Level.SHOULD_NOT, "CTRL_RX_EXTRA is not offered without CTRL_VQ.", "5.1.4.1", "5.1.4.1#14", implies=("B1",)
    ),
    _row(10, Level.MUST, "PROMISC and ALLMULTI are taken.", "5.1.9.5.1.1", "5.1.9.5.1.1#1"),
    _row(11, Level.MUST, "mac shows a new address when MAC_ADDR_SET has been used.", "5.1.9.5.2.1", "5.1.9.5.2.1#3"),
    _row(12, Level.MUST, "num_buffers is 1 without MRG_RXBUF.", "5.1.9.4.1", "5.1.9.4.1#1"),
    _row(
        13,
        Level.MUST,
        "flags of a received frame are 0 without GUEST_CSUM.",
        "5.1.9.4.1",
        "5.1.9.4.1#5",
        rule="received flags",
    ),
    _row(
        14,
        Level.MUST,
        "gso_type of a received frame is 0 without large receive.",
        "5.1.9.4.1",
        *(f"5.1.9.4.1#{number}" for number in (6, 7, 8, 9, 10, 21)),
        rule="received gso_type",
    ),
)

UNJUDGED: tuple[Unjudged, ...] = (
    Unjudged("5.1.4.1#4", Level.MUST_NOT, "The device leaves mtu as it is once it is there.", "not judged yet"),
    Unjudged(
        "5.1.4.1#5",
        Level.MUST_NOT,
        "The device passes no frame larger than mtu and the Ethernet header once MTU is accepted.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.4.1#6",
        Level.MUST,
        "The device forwards frames of up to mtu and the Ethernet header whole once MTU is accepted.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.4.1#9",
        Level.MAY,
        "The device may stand by for a primary device with the same MAC address.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.1.4.1#12", Level.SHOULD_NOT, "The device keeps speed and duplex while the link is up.", "not judged yet"
    ),
    Unjudged("5.1.9.2.2#1", Level.MUST, "The device ignores bits of flags that it does not know.", "not judged yet"),
    Unjudged(
        "5.1.9.2.2#2",
        Level.MUST_NOT,
        "The device does not use csum_start and csum_offset without NEEDS_CSUM.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.2.2#3",
        Level.MAY,
        "The device may take outer_nh_offset as the outer network header.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.1.9.2.2#4",
        Level.MUST_NOT,
        "The device does not use outer_nh_offset when it is 0 or not negotiated.",
        "what the device does with the offset (offloads of its hardware) does not come out on the wire; without OUT_NET_HEADER, and with no other feature that makes the header longer, the field is not there",
    ),
    Unjudged(
        "5.1.9.2.2#5",
        Level.MAY,
        "The device may take hdr_len as the size of the headers with GUEST_HDRLEN and a GSO frame.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.1.9.2.2#6",
        Level.MAY,
        "The device may take hdr_len as a hint otherwise.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged("5.1.9.2.2#7", Level.MUST_NOT, "The device does not rely on hdr_len.", "not judged yet"),
    Unjudged(
        "5.1.9.2.2#8", Level.MUST_NOT, "The device refuses a frame with both tunnel bits in gso_type.", "not judged yet"
    ),
    Unjudged(
        "5.1.9.2.2#9",
        Level.MUST_NOT,
        "The device does not use the tunnel offsets without a tunnel bit.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.2.2#10",
        Level.MUST_NOT,
        "The device refuses a tunnelled frame without NEEDS_CSUM, with DATA_VALID, or without a segmentation type; the device refuses a frame with UDP_TUNNEL_CSUM and no tunnel bit.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.2.2#11",
        Level.MUST_NOT,
        "The device does not rely on the packet's checksum without NEEDS_CSUM.",
        "to rely on something is no deed: a device that passes the frame on as it is relies on nothing, and one that drops frames with bad sums cannot be told from a wire that does",
    ),
    Unjudged(
        "5.1.9.2.2#12",
        Level.MUST_NOT,
        "The device does not use resource_id and resource_type without SECURITY.",
        "no device is known to offer what it takes",
    ),
    Unjudged("5.1.9.3.2#1", Level.MUST, "The device sets num_buffers to what the frame takes.", "not judged yet"),
    Unjudged(
        "5.1.9.3.2#2",
        Level.MUST,
        "The device uses one buffer a frame when MRG_RXBUF was not negotiated.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.4.1#2",
        Level.MUST,
        "The device sets num_buffers to the number of buffers that the frame takes up with MRG_RXBUF.",
        "not judged yet",
    ),
    Unjudged("5.1.9.4.1#3", Level.MUST, "The device fills all buffers of a frame but the last.", "not judged yet"),
    Unjudged("5.1.9.4.1#4", Level.MUST, "The device shows all buffers of a frame as used together.", "not judged yet"),
    Unjudged(
        "5.1.9.4.1#11",
        Level.MUST_NOT,
        "The device does not set UDP_TUNNEL_CSUM without GUEST_UDP_TUNNEL_GSO_CSUM.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.4.1#12",
        Level.SHOULD_NOT,
        "The device sends no TCP frame with CWR set that needs segmentation without GUEST_ECN; the device sets the ECN bit in gso_type on such frames with GUEST_ECN.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.4.1#13",
        Level.MAY,
        "The device may tell the outer network header by outer_nh_offset.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.1.9.4.1#14",
        Level.MUST_NOT,
        "The device leaves outer_nh_offset alone without OUT_NET_HEADER.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.4.1#15",
        Level.MAY,
        "The device may set NEEDS_CSUM with GUEST_CSUM.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.1.9.4.1#16",
        Level.MUST,
        "The device validates the checksums that precede the one it leaves to the driver.",
        "the device has thrown away what it checked; only a frame with a wrong outer sum that arrives with NEEDS_CSUM for the inner one would show it, and no host end that we have can make a device see such a frame together with an offload request",
    ),
    Unjudged(
        "5.1.9.4.1#17",
        Level.MUST,
        "The device leaves the pseudo header's sum in a frame with NEEDS_CSUM.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.4.1#18",
        Level.MUST,
        "The device points csum_start and csum_offset at the sum that is to be completed.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.4.1#19",
        Level.MUST_NOT,
        "The device sends no tunnelled GSO frame without GUEST_UDP_TUNNEL_GSO; the device sets the tunnel bit of the inner network protocol; the device sets outer_th_offset and inner_nh_offset to where those headers are; the device leaves no outer checksum to the driver on tunnelled frames.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.4.1#20",
        Level.MUST_NOT,
        "The device sends no tunnelled GSO frame with an open outer checksum without GUEST_UDP_TUNNEL_GSO_CSUM.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.4.1#22",
        Level.MUST,
        "The device sets NEEDS_CSUM on every GSO frame; the device sets gso_size on every GSO frame.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.4.1#23",
        Level.MUST,
        "The device tells its coalescing by RSC_INFO and the two counts with RSC_EXT.",
        "not judged yet",
    ),
    Unjudged("5.1.9.4.1#24", Level.MUST_NOT, "The device does not set RSC_INFO without RSC_EXT.", "not judged yet"),
    Unjudged(
        "5.1.9.4.1#25",
        Level.SHOULD,
        "The device sets hdr_len to at least the length of the headers when large receive was negotiated.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.4.1#26",
        Level.MAY,
        "The device may set DATA_VALID with GUEST_CSUM; the device sets DATA_VALID only on frames whose sum it has checked.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.4.1#27", Level.MUST_NOT, "The device does not set DATA_VALID on tunnelled GSO frames.", "not judged yet"
    ),
    Unjudged(
        "5.1.9.4.1#28",
        Level.MAY,
        "The device may set UDP_TUNNEL_CSUM on tunnelled GSO frames; the device leaves the outer pseudo header's sum in a frame with UDP_TUNNEL_CSUM.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.4.1#29",
        Level.MUST,
        "The device gives no outer sum, or a right one, on tunnelled GSO frames without UDP_TUNNEL_CSUM.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.4.1#30",
        Level.MUST,
        "The device sets SECURITY on frames that went through IPsec.",
        "no device is known to offer what it takes",
    ),
    Unjudged("5.1.9.4.1#31", Level.MUST, "The device clears SECURITY on frames that did not.", "not judged yet"),
    Unjudged(
        "5.1.9.4.1#32",
        Level.MUST,
        "The device sets or clears SECURITY whatever the other two bits are.",
        "it only says that net-59 and net-60 hold in all cases; they are judged there",
    ),
    Unjudged(
        "5.1.9.4.1#33",
        Level.MUST,
        "The device sets SECURITY_ERR when IPsec processing failed.",
        "no device is known to offer what it takes",
    ),
    Unjudged("5.1.9.4.1#34", Level.MUST, "The device clears SECURITY_ERR otherwise.", "not judged yet"),
    Unjudged(
        "5.1.9.4.1#35",
        Level.MUST,
        "The device sets or clears SECURITY_ERR whatever the soft-expiry bit is.",
        "it only says that net-62 and net-63 hold in all cases; they are judged there",
    ),
    Unjudged(
        "5.1.9.4.1#36",
        Level.MUST,
        "The device sets the soft-expiry bit once the SA reaches its soft lifetime.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.4.4.4#1",
        Level.MUST,
        "The device hashes the outer header when the encapsulation is not enabled.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.4.4.4#2",
        Level.SHOULD,
        "The device answers ERR to tunnel types that it does not support.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.4.4.4#3",
        Level.MUST,
        "The device hashes no inner header after enabled_tunnel_types 0 or a reset.",
        "no device is known to offer what it takes",
    ),
    Unjudged("5.1.9.5.1.1#2", Level.SHOULD, "The device passes all frames while promiscuous.", "not judged yet"),
    Unjudged("5.1.9.5.1.1#3", Level.SHOULD, "The device stays promiscuous when other modes are on.", "not judged yet"),
    Unjudged("5.1.9.5.1.1#4", Level.SHOULD, "The device passes all multicast frames with ALLMULTI.", "not judged yet"),
    Unjudged("5.1.9.5.1.1#5", Level.MUST, "The device takes ALLUNI, NOMULTI, NOUNI and NOBCAST.", "not judged yet"),
    Unjudged("5.1.9.5.1.1#6", Level.SHOULD, "The device passes all unicast frames with ALLUNI.", "not judged yet"),
    Unjudged(
        "5.1.9.5.1.1#7", Level.SHOULD_NOT, "The device passes no multicast frames with NOMULTI.", "not judged yet"
    ),
    Unjudged("5.1.9.5.1.1#8", Level.SHOULD, "The device keeps to NOMULTI with ALLMULTI on.", "not judged yet"),
    Unjudged(
        "5.1.9.5.1.1#9", Level.SHOULD_NOT, "The device passes broadcast frames in spite of NOMULTI.", "not judged yet"
    ),
    Unjudged("5.1.9.5.1.1#10", Level.SHOULD_NOT, "The device passes no unicast frames with NOUNI.", "not judged yet"),
    Unjudged("5.1.9.5.1.1#11", Level.SHOULD, "The device keeps to NOUNI with ALLUNI on.", "not judged yet"),
    Unjudged(
        "5.1.9.5.1.1#12", Level.SHOULD_NOT, "The device passes no broadcast frames with NOBCAST.", "not judged yet"
    ),
    Unjudged("5.1.9.5.1.1#13", Level.SHOULD, "The device keeps to NOBCAST with ALLMULTI on.", "not judged yet"),
    Unjudged("5.1.9.5.2.1#1", Level.MUST, "The device has an empty MAC table after a reset.", "not judged yet"),
    Unjudged(
        "5.1.9.5.2.1#2",
        Level.MUST,
        "The device has the new MAC table in effect when it uses the command.",
        "not judged yet",
    ),
    Unjudged("5.1.9.5.2.1#4", Level.SHOULD, "The device drops frames for other stations.", "not judged yet"),
    Unjudged(
        "5.1.9.5.3.1#1",
        Level.MUST,
        "The device passes tagged frames when CTRL_VLAN was not negotiated.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.5.3.1#2",
        Level.MUST,
        "The device passes tagged frames whose VLAN is in the table; the device drops tagged frames whose VLAN is not in the table.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.5.4.2#1", Level.MUST, "The device clears ANNOUNCE before it uses the acknowledgement.", "not judged yet"
    ),
    Unjudged(
        "5.1.9.5.6.2#1",
        Level.MUST,
        "The device puts frames into receiveq1 alone before VQ_PAIRS_SET.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.5.6.2#2",
        Level.MUST_NOT,
        "The device puts no frame into receive queues beyond virtqueue_pairs once it has used the command.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.5.6.2#3",
        Level.SHOULD,
        "The device puts frames for a queue under reset into another one.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.5.6.2#4",
        Level.MUST,
        "The device drops frames while all receive queues are under reset.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.5.7.3#1",
        Level.MUST,
        "The device chooses the receive queue by hash and indirection table.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.5.7.3#2", Level.MUST, "The device drops frames for a queue under reset with RSS.", "not judged yet"
    ),
    Unjudged(
        "5.1.9.5.8.3#1",
        Level.MUST,
        "The device tells at least one RSS context.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.5.8.3#2",
        Level.MUST,
        "The device forgets its RSS contexts at a reset.",
        "no device is known to offer what it takes",
    ),
    Unjudged("5.1.9.5.10.6#1", Level.MUST, "The device ignores reserved in coalescing commands.", "not judged yet"),
    Unjudged(
        "5.1.9.5.10.6#2",
        Level.SHOULD,
        "The device answers ERR to TX_SET and RX_SET when it cannot change the parameters.",
        "whether it was able to is known to the device alone: there is no command to read them back without VQ_NOTF_COAL, and notifications may come more or less often than asked for (net-103)",
    ),
    Unjudged(
        "5.1.9.5.10.6#3",
        Level.MUST,
        "The device answers ERR to VQ_SET when it cannot change the parameters.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.5.10.6#4",
        Level.MUST,
        "The device answers ERR to VQ_SET and VQ_GET for a queue that is no enabled transmit or receive queue.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.5.10.6#5",
        Level.MUST,
        "The device gives a transmit queue the TX parameters back when it is disabled and enabled again.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.5.10.6#6",
        Level.MUST,
        "The device gives a receive queue the RX parameters back when it is disabled and enabled again.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.5.10.6#7",
        Level.MAY,
        "The device may notify more or less often than asked for.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.1.9.5.10.6#8",
        Level.SHOULD_NOT,
        "The device does not notify a suppressed queue even when coalescing would.",
        "not judged yet",
    ),
    Unjudged(
        "5.1.9.5.10.6#9", Level.MUST, "The device has all coalescing parameters at 0 after a reset.", "not judged yet"
    ),
    Unjudged("5.1.9.5.11.12#1", Level.MUST, "The device answers STATS_QUERY with what it supports.", "not judged yet"),
    Unjudged("5.1.9.5.11.12#2", Level.MUST, "The device answers ERR to a wrong STATS_GET.", "not judged yet"),
    Unjudged(
        "5.1.9.5.11.12#3", Level.MUST, "The device fails the whole STATS_GET over one wrong entry.", "not judged yet"
    ),
    Unjudged(
        "5.1.9.5.11.12#4",
        Level.MUST,
        "The device sets size in each reply to the bytes that the reply takes.",
        "not judged yet",
    ),
    Unjudged("5.1.9.5.11.12#5", Level.MUST, "The device sets type and vq_index in each reply.", "not judged yet"),
    Unjudged("5.1.9.5.11.12#6", Level.MUST, "The device writes no more than the statistics take.", "not judged yet"),
    Unjudged(
        "5.1.9.5.11.12#7",
        Level.MUST,
        "The device lets its counters wrap to zero.",
        "a counter of 64 bits does not overflow while anybody looks",
    ),
    Unjudged(
        "5.1.9.6.4#1",
        Level.MUST,
        "The device lists all three flow filter capabilities if it has flow filters.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#2",
        Level.MUST,
        "The device takes the four resource commands for groups, classifiers and rules.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#3",
        Level.SHOULD,
        "The device answers invalid opcode to resource commands when a flow filter capability is disabled.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#4",
        Level.SHOULD,
        "The device answers EINVAL to a group whose priority is taken.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#5",
        Level.SHOULD,
        "The device answers ENOSPC to more groups than the limits allow.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#6",
        Level.SHOULD,
        "The device answers ENOSPC to more classifiers than the limit allows.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#7",
        Level.SHOULD,
        "The device answers EBUSY to the destruction of a group with rules.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#8",
        Level.SHOULD,
        "The device answers EBUSY to the destruction of a classifier with rules.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#9",
        Level.SHOULD,
        "The device refuses rules that cannot be.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#10",
        Level.MUST,
        "The device drops frames that a rule directs to a queue under reset.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#11",
        Level.MUST,
        "The device stops at the first rule that applies.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#12",
        Level.MUST,
        "The device asks the group with the highest priority first.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#13",
        Level.MUST,
        "The device leaves the other groups out once a rule applied.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#14",
        Level.MUST,
        "The device goes on to the next group while no rule matches.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#15",
        Level.MUST,
        "The device asks a group's rules from the highest priority down; the device takes the action of the rule that matches.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#16",
        Level.MUST_NOT,
        "The device takes one action a frame.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#17",
        Level.MAY,
        "The device may take rules of the same priority in any order.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.1.9.6.4#18",
        Level.MUST,
        "The device filters first, then asks the rules, then steers.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#19",
        Level.MUST,
        "The device does nothing more with a frame that it dropped.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#20",
        Level.MUST,
        "The device asks no rule about a frame that the receive filters dropped.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.6.4#21",
        Level.MUST,
        "The device takes classifiers with partial masks where it supports them.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.7.4#1",
        Level.MUST,
        "The device lists both IPsec capabilities if it has IPsec.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.7.4#2",
        Level.MUST,
        "The device takes the four resource commands for SAs.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.7.4#3",
        Level.MUST,
        "The device answers invalid opcode to SA commands when an IPsec capability is disabled.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.7.4#4",
        Level.MUST,
        "The device refuses an SA whose id exists.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.7.4#5",
        Level.MUST,
        "The device refuses an outbound SA whose id is too large or whose parameters it does not support.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.7.4#6",
        Level.MUST,
        "The device refuses an inbound SA whose id is too large or whose parameters it does not support.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.7.4#7",
        Level.SHOULD,
        "The device keeps a table of SAs by id.",
        "how it finds an SA is its own business; that it finds it shows in net-59",
    ),
    Unjudged(
        "5.1.9.7.4#8",
        Level.MUST,
        "The device takes an SA again that was destroyed.",
        "no device is known to offer what it takes",
    ),
    Unjudged(
        "5.1.9.7.4#9",
        Level.MAY,
        "The device may refuse an SA whose spi exists.",
        "a permission: nothing that a device does can break it",
    ),
    Unjudged(
        "5.1.9.7.4#10",
        Level.MUST,
        "The device destroys all resource objects at a reset.",
        "no device is known to offer what it takes",
    ),
)
