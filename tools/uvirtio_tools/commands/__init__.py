"""The commands, a module each with ``add_arguments`` and ``run``: they take words apart, call, and print."""
