"""Texts, files and folders that others wrote or placed, made harmless before anybody else touches them.

- `files`: reads a file that others may have placed.
- `redaction`: strips credentials from a text that is to be shown.
"""
