"""What judging works with: looks at a device, verdicts, the result of a run, latencies."""
