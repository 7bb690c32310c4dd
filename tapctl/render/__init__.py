"""What the user meets: reports and progress as text, on a live terminal, as lines, or as JSON Lines."""
