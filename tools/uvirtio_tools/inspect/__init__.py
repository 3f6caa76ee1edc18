"""Looking at devices: one :class:`~uvirtio_tools.inspect.model.Description` gives table, JSON, snapshot and panel."""
