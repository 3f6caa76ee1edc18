"""vfio-user: a PCI device behind a UNIX socket. The wire format, for client and server alike.

``wire`` holds the layouts, ``channel`` carries messages and file descriptors over the socket.
"""
