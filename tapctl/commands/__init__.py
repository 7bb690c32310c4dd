"""The commands: one module each, named as the user types it, and what several of them share (fleet, writing)."""
