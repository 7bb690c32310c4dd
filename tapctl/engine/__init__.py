"""Observe, compare, converge, remove: the loops that know nothing of AWS."""
