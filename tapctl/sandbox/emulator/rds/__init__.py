"""RDS for Aurora PostgreSQL, in several files."""
