"""The emulator: moto, and the rules that make its answers those of AWS. It imports nothing of the rest of tapctl."""
