"""Guest-side userspace driver for virtio-PCI devices."""
