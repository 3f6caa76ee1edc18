"""Small changes to our own code, one at a time, and who notices them: the judge those of the device, the tests the others.

``python -m tests.mutation.device`` and ``python -m tests.mutation.own`` (both: ``make mutation``) say how many were noticed
and show those that were not. ``looked_at.toml`` has the ones that somebody looked at and found to change nothing that counts,
each with the reason. No file of the tree is changed: a child process loads the changed module from memory.
"""
