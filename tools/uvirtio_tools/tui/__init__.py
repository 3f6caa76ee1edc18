"""The interactive interface, of Textual: inspect and drive devices."""
