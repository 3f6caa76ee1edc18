"""What people run: command line, terminal views, conformance checks, reports."""
