"""What the log contains, and what it must not contain."""
