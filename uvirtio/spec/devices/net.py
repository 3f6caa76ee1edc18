"""Network device (virtio 1.4, 5.1)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

CSUM, GUEST_CSUM, CTRL_GUEST_OFFLOADS, MTU, MAC, GSO = 0, 1, 2, 3, 5, 6
GUEST_TSO4, GUEST_TSO6, GUEST_ECN, GUEST_UFO = 7, 8, 9, 10
HOST_TSO4, HOST_TSO6, HOST_ECN, HOST_UFO, MRG_RXBUF = 11, 12, 13, 14, 15
STATUS, CTRL_VQ, CTRL_RX, CTRL_VLAN, CTRL_RX_EXTRA, GUEST_ANNOUNCE, MQ, CTRL_MAC_ADDR = 16, 17, 18, 19, 20, 21, 22, 23
DEVICE_STATS, HASH_TUNNEL, VQ_NOTF_COAL, NOTF_COAL = 50, 51, 52, 53
GUEST_USO4, GUEST_USO6, HOST_USO, HASH_REPORT, GUEST_HDRLEN = 54, 55, 56, 57, 59
RSS, RSC_EXT, STANDBY, SPEED_DUPLEX, RSS_CONTEXT = 60, 61, 62, 63, 64
GUEST_TUNNEL, GUEST_TUNNEL_CSUM, HOST_TUNNEL, HOST_TUNNEL_CSUM, OUT_NET_HEADER, IPSEC = 65, 66, 67, 68, 69, 70

_HASH_TYPES = tuple(enumerate(("IPv4", "TCPv4", "UDPv4", "IPv6", "TCPv6", "UDPv6", "IP_EX", "TCP_EX", "UDP_EX")))
_TUNNELS = tuple(
    enumerate(("GRE_2784", "GRE_2890", "GRE_7676", "GRE_UDP", "VXLAN", "VXLAN_GPE", "GENEVE", "IPIP", "NVGRE"))
)

SPEC = DeviceSpec(
    number=1,
    title="network device",
    section="5.1",
    features=(
        FeatureBit(
            CSUM, "NET_F_CSUM", "The device completes the checksum of packets that the driver sends half-summed."
        ),
        FeatureBit(GUEST_CSUM, "NET_F_GUEST_CSUM", "The driver takes received packets whose checksum is only partial."),
        FeatureBit(
            CTRL_GUEST_OFFLOADS,
            "NET_F_CTRL_GUEST_OFFLOADS",
            "Receive offloads can be switched at run time through the control queue.",
        ),
        FeatureBit(MTU, "NET_F_MTU", "The device advises its largest MTU in the field mtu."),
        FeatureBit(MAC, "NET_F_MAC", "The field mac holds the device's MAC address."),
        FeatureBit(
            GSO, "NET_F_GSO", "Any segmentation type can be sent; replaced by one bit per type.", origin="legacy"
        ),
        FeatureBit(GUEST_TSO4, "NET_F_GUEST_TSO4", "The driver can receive large TCP/IPv4 segments.", (GUEST_CSUM,)),
        FeatureBit(GUEST_TSO6, "NET_F_GUEST_TSO6", "The driver can receive large TCP/IPv6 segments.", (GUEST_CSUM,)),
        FeatureBit(
            GUEST_ECN,
            "NET_F_GUEST_ECN",
            "The driver can receive large TCP segments with ECN.",
            requires_any=(GUEST_TSO4, GUEST_TSO6),
        ),
        FeatureBit(
            GUEST_UFO, "NET_F_GUEST_UFO", "The driver can receive large UDP datagrams to be fragmented.", (GUEST_CSUM,)
        ),
        FeatureBit(HOST_TSO4, "NET_F_HOST_TSO4", "The device can be given large TCP/IPv4 segments.", (CSUM,)),
        FeatureBit(HOST_TSO6, "NET_F_HOST_TSO6", "The device can be given large TCP/IPv6 segments.", (CSUM,)),
        FeatureBit(
            HOST_ECN,
            "NET_F_HOST_ECN",
            "The device can be given large TCP segments with ECN.",
            requires_any=(HOST_TSO4, HOST_TSO6),
        ),
        FeatureBit(HOST_UFO, "NET_F_HOST_UFO", "The device can be given large UDP datagrams to fragment.", (CSUM,)),
        FeatureBit(MRG_RXBUF, "NET_F_MRG_RXBUF", "A received packet may span several receive buffers."),
        FeatureBit(STATUS, "NET_F_STATUS", "The field status says whether the link is up."),
        FeatureBit(CTRL_VQ, "NET_F_CTRL_VQ", "There is a control queue."),
        FeatureBit(CTRL_RX, "NET_F_CTRL_RX", "Receive filters are set through the control queue.", (CTRL_VQ,)),
        FeatureBit(CTRL_VLAN, "NET_F_CTRL_VLAN", "VLAN filters are set through the control queue.", (CTRL_VQ,)),
        FeatureBit(
            CTRL_RX_EXTRA,
            "NET_F_CTRL_RX_EXTRA",
            "More receive modes through the control queue.",
            offer_should=(CTRL_VQ,),
        ),
        FeatureBit(
            GUEST_ANNOUNCE,
            "NET_F_GUEST_ANNOUNCE",
            "The device can ask the driver to announce itself with gratuitous packets.",
            (CTRL_VQ,),
        ),
        FeatureBit(MQ, "NET_F_MQ", "Several queue pairs with automatic receive steering.", (CTRL_VQ,)),
        FeatureBit(
            CTRL_MAC_ADDR, "NET_F_CTRL_MAC_ADDR", "The MAC address is set through the control queue.", (CTRL_VQ,)
        ),
        FeatureBit(
            41, "NET_F_GUEST_RSC4", "The device coalesces received TCP/IPv4 packets (Windows drivers).", origin="legacy"
        ),
        FeatureBit(
            42, "NET_F_GUEST_RSC6", "The device coalesces received TCP/IPv6 packets (Windows drivers).", origin="legacy"
        ),
        FeatureBit(DEVICE_STATS, "NET_F_DEVICE_STATS", "The control queue answers with device statistics."),
        FeatureBit(
            HASH_TUNNEL,
            "NET_F_HASH_TUNNEL",
            "The receive hash can be taken over the inner header of tunnelled packets.",
            (CTRL_VQ,),
            (RSS, HASH_REPORT),
        ),
        FeatureBit(
            VQ_NOTF_COAL, "NET_F_VQ_NOTF_COAL", "Notifications can be coalesced, set for each queue.", (CTRL_VQ,)
        ),
        FeatureBit(NOTF_COAL, "NET_F_NOTF_COAL", "Notifications can be coalesced, set for all queues.", (CTRL_VQ,)),
        FeatureBit(GUEST_USO4, "NET_F_GUEST_USO4", "The driver can receive UDP/IPv4 segment trains.", (GUEST_CSUM,)),
        FeatureBit(GUEST_USO6, "NET_F_GUEST_USO6", "The driver can receive UDP/IPv6 segment trains.", (GUEST_CSUM,)),
        FeatureBit(HOST_USO, "NET_F_HOST_USO", "The device splits large UDP packets into datagrams.", (CSUM,)),
        FeatureBit(
            HASH_REPORT,
            "NET_F_HASH_REPORT",
            "Each received packet carries its hash and the hash's type.",
            offer_should=(CTRL_VQ,),
        ),
        FeatureBit(GUEST_HDRLEN, "NET_F_GUEST_HDRLEN", "The driver gives the exact header length in hdr_len."),
        FeatureBit(RSS, "NET_F_RSS", "Receive-side scaling with a configurable Toeplitz hash.", (CTRL_VQ,)),
        FeatureBit(
            RSC_EXT,
            "NET_F_RSC_EXT",
            "The device counts coalesced segments and duplicated ACKs.",
            requires_any=(HOST_TSO4, HOST_TSO6),
        ),
        FeatureBit(STANDBY, "NET_F_STANDBY", "The device stands by for a primary device with the same MAC address."),
        FeatureBit(SPEED_DUPLEX, "NET_F_SPEED_DUPLEX", "The fields speed and duplex are valid."),
        FeatureBit(RSS_CONTEXT, "NET_F_RSS_CONTEXT", "Several receive-side scaling contexts.", (CTRL_VQ, RSS)),
        FeatureBit(
            GUEST_TUNNEL,
            "NET_F_GUEST_UDP_TUNNEL_GSO",
            "The driver can receive segment trains inside of a UDP tunnel.",
            (GUEST_TSO4, GUEST_TSO6, GUEST_USO4, GUEST_USO6),
        ),
        FeatureBit(
            GUEST_TUNNEL_CSUM,
            "NET_F_GUEST_UDP_TUNNEL_GSO_CSUM",
            "The same, with the outer checksum only partial.",
            (GUEST_TUNNEL,),
        ),
        FeatureBit(
            HOST_TUNNEL,
            "NET_F_HOST_UDP_TUNNEL_GSO",
            "The device can be given segment trains inside of a UDP tunnel.",
            (HOST_TSO4, HOST_TSO6, HOST_USO),
        ),
        FeatureBit(
            HOST_TUNNEL_CSUM,
            "NET_F_HOST_UDP_TUNNEL_GSO_CSUM",
            "The same, with the outer checksum left to the device.",
            (HOST_TUNNEL,),
        ),
        FeatureBit(OUT_NET_HEADER, "NET_F_OUT_NET_HEADER", "The driver says where the outer network header starts."),
        FeatureBit(IPSEC, "NET_F_IPSEC", "The device does IPsec inline.", offer_should=(OUT_NET_HEADER,)),
    ),
    fields=(
        Field("mac", 0, 1, 6, kind="mac"),
        Field("status", 6, 2, features=(STATUS,), kind="hex", flags=((0, "LINK_UP"), (1, "ANNOUNCE"))),
        Field("max_virtqueue_pairs", 8, 2, unit="queue pairs", features=(MQ, RSS)),
        Field("mtu", 10, 2, unit="bytes", features=(MTU,)),
        Field("speed", 12, 4, unit="Mbit/s", features=(SPEED_DUPLEX,), values=((0xFFFF_FFFF, "unknown"),)),
        Field("duplex", 16, 1, features=(SPEED_DUPLEX,), values=((0, "half"), (1, "full"), (0xFF, "unknown"))),
        Field("rss_max_key_size", 17, 1, unit="bytes", features=(RSS, HASH_REPORT)),
        Field("rss_max_indirection_table_length", 18, 2, unit="entries", features=(RSS,)),
        Field("supported_hash_types", 20, 4, features=(RSS, HASH_REPORT), kind="hex", flags=_HASH_TYPES),
        Field("supported_tunnel_types", 24, 4, features=(HASH_TUNNEL,), kind="hex", flags=_TUNNELS),
    ),
    queues=(
        QueueName("receiveq{n}", 0, answered=False, step=2),
        QueueName("transmitq{n}", 1, answered=True, step=2),
        QueueName("controlq", 2, answered=True, last=True, last_with=(MQ, RSS), features=(CTRL_VQ,)),
    ),
)
