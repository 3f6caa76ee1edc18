"""What the documents say is so: links lead somewhere, commands and examples do what stands below them, recipes run."""
