"""Findings on an environment: which there are, what may be done about each, who answers for it, who made it."""
