"""What travels in the buffers of each device type: request layouts, commands and answers (virtio 1.4, chapter 5).

One module per type, data only; both sides of a queue are written against it. Layouts are :class:`struct.Struct`, which
pack little-endian as the modern interface demands (a driver of the legacy interface on a little-endian machine too).
"""
