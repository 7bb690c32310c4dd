"""The record of what we made: its schema, its two stores, and the journal that writes it."""
