"""How fast the tap is, beside others that read the same, and the command that measures it."""
