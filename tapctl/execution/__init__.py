"""Execution of a plan: the engine run with its events, its signals, its waits, and the rescue of its record."""
