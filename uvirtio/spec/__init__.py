"""What the specification fixes, as data: no I/O, no logic of a driver or of a device, no imports from elsewhere.

A number from the virtio specification (or PCI) stands here once, with its section beside it; everywhere else it has
a name. Sections are those of virtio 1.4.
"""
