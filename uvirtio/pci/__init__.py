"""One PCI function: configuration space, BARs, the capability walk, where the virtio structures lie."""
