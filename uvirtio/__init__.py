"""Guest-side userspace driver for virtio-PCI devices.

Importing this is cheap: the parts are imported by name (``uvirtio.device``, ``uvirtio.suspend``,
``uvirtio.bus.opening`` …), and nothing heavy is brought in before it is used.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
