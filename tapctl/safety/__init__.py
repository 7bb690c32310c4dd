"""Texts, files and folders that others wrote or placed, made harmless before anybody else touches them.

- `card_data`: knows what puts card data into the database's logs.
- `files`: reads a file that others may have placed.
- `open_networks`: tells a block of addresses that is as open as the internet.
- `redaction`: strips credentials from a text that is to be shown.
- `hidden_values`: the text in place of an observed value that may be a secret.
"""
