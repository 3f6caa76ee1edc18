"""Crypto device (virtio 1.4, 5.9)."""

from __future__ import annotations

from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = ["SPEC"]

REVISION_1, CIPHER, HASH, MAC, AEAD, AKCIPHER = 0, 1, 2, 3, 4, 5

_CIPHERS = [
    "NO_CIPHER",
    "ARC4",
    "AES_ECB",
    "AES_CBC",
    "AES_CTR",
    "DES_ECB",
    "DES_CBC",
    "3DES_ECB",
    "3DES_CBC",
    "3DES_CTR",
    "KASUMI_F8",
    "SNOW3G_UEA2",
    "AES_F8",
    "AES_XTS",
    "ZUC_EEA3",
]
_HASHES = [
    "NO_HASH",
    "MD5",
    "SHA1",
    "SHA_224",
    "SHA_256",
    "SHA_384",
    "SHA_512",
    "SHA3_224",
    "SHA3_256",
    "SHA3_384",
    "SHA3_512",
    "SHA3_SHAKE128",
    "SHA3_SHAKE256",
]
_MACS_LOW = (
    *enumerate(["NO_MAC", "HMAC_MD5", "HMAC_SHA1", "HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"]),
    (25, "CMAC_3DES"),
    (26, "CMAC_AES"),
    (27, "KASUMI_F9"),
    (28, "SNOW3G_UIA2"),
)
#: Bits 41, 42, 49, 50, 53 and 54 of the mask, counted from 32.
_MACS_HIGH = (
    (9, "GMAC_AES"),
    (10, "GMAC_TWOFISH"),
    (17, "CBCMAC_AES"),
    (18, "CBCMAC_KASUMI_F9"),
    (21, "XCBC_AES"),
    (22, "ZUC_EIA3"),
)

SPEC = DeviceSpec(
    number=20,
    title="crypto device",
    section="5.9",
    features=(
        FeatureBit(REVISION_1, "CRYPTO_F_REVISION_1", "Requests have the format of revision 1."),
        FeatureBit(CIPHER, "CRYPTO_F_CIPHER_STATELESS_MODE", "Cipher requests need no session.", (REVISION_1,)),
        FeatureBit(HASH, "CRYPTO_F_HASH_STATELESS_MODE", "Hash requests need no session.", (REVISION_1,)),
        FeatureBit(MAC, "CRYPTO_F_MAC_STATELESS_MODE", "MAC requests need no session.", (REVISION_1,)),
        FeatureBit(AEAD, "CRYPTO_F_AEAD_STATELESS_MODE", "AEAD requests need no session.", (REVISION_1,)),
        FeatureBit(
            AKCIPHER, "CRYPTO_F_AKCIPHER_STATELESS_MODE", "Asymmetric cipher requests need no session.", (REVISION_1,)
        ),
    ),
    fields=(
        Field("status", 0, 4, kind="hex", flags=((0, "HW_READY"),)),
        Field("max_dataqueues", 4, 4, unit="data queues"),
        Field(
            "crypto_services",
            8,
            4,
            kind="hex",
            flags=tuple(enumerate(("CIPHER", "HASH", "MAC", "AEAD", "AKCIPHER", "IPSEC"))),
        ),
        Field("cipher_algo_l", 12, 4, kind="hex", flags=tuple(enumerate(_CIPHERS))),
        Field("cipher_algo_h", 16, 4, kind="hex"),
        Field("hash_algo", 20, 4, kind="hex", flags=tuple(enumerate(_HASHES))),
        Field("mac_algo_l", 24, 4, kind="hex", flags=_MACS_LOW),
        Field("mac_algo_h", 28, 4, kind="hex", flags=_MACS_HIGH),
        Field("aead_algo", 32, 4, kind="hex", flags=tuple(enumerate(("NO_AEAD", "GCM", "CCM", "CHACHA20_POLY1305")))),
        Field("max_cipher_key_len", 36, 4, unit="bytes"),
        Field("max_auth_key_len", 40, 4, unit="bytes"),
        Field("akcipher_algo", 44, 4, kind="hex", flags=tuple(enumerate(("NO_AKCIPHER", "RSA", "ECDSA")))),
        Field("max_size", 48, 8, unit="bytes"),
    ),
    queues=(QueueName("dataq{n}", 0, answered=True, step=1), QueueName("controlq", 1, answered=True, last=True)),
)
