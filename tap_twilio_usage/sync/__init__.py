"""One run of usage records: which days to read, in which order, and the state."""
