"""What others wrote or placed, before anybody else touches it.

- `files`: reads a file that others may have placed.
- `redaction`: strips credentials from a text that is to be shown.
"""
