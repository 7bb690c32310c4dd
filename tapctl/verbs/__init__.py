"""What each command does, as spines that can be read: one module a family of commands."""
