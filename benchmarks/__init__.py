"""Benchmarks of the tap against other tools that read the same data."""
