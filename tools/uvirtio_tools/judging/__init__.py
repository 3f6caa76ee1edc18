"""The judge: a history of what was done to a device and seen of it, and verdicts per statement over that history."""
