"""What takes long to show: a minute of it in the tests, more by ``make soak``."""
