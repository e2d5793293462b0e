"""One run of usage records: what to read, in which order, and what the state remembers."""
