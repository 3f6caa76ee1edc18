"""The other side: a virtio-PCI device in software, written from the specification alone.

It shares no logic with the driver side, because it is what the driver is held against.
"""
