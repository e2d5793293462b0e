"""The streams of the tap, one module for each kind."""
