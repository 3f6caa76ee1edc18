"""A package of somebody else's: a device type that adds numbers, with all that uvirtio can be told about one.

It is what CONTRIBUTING.md describes, file by file.
"""
