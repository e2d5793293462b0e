"""The streams, one module a source."""
