"""The official FOCUS validator, run on what the tap loads from the sandbox."""
