"""The embedded AWS: moto, and the rules that make its answers those of the real AWS. Imports nothing of tapctl."""
