"""Makes the documents that come from the program itself; not shipped."""
