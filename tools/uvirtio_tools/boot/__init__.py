"""Starting virtual machines with an image in them, on the host: what they are started by, what they say, how they end."""
