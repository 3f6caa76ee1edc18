"""Input that nobody means well: from peers, files and devices."""
