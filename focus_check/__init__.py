"""Runs the official FOCUS validator on data that the tap loads from the sandbox."""
