"""What is tried with python-periphery of every version that is admitted."""

MAPS_REGISTERS = """
import os, tempfile
from uvirtio.bus.uio.bars import _map
with tempfile.NamedTemporaryFile() as file:
    file.truncate(4096)
    bar = _map(file.name, "0000:00:01.0", 0, 4096)
    bar.region.u32[1] = 0x12345678
    bar.close()
    assert os.pread(file.fileno(), 4, 4) == bytes.fromhex("78563412")
    print("mapped", 4096)
"""
"""A BAR is mapped, one register of it written, and unmapped."""
