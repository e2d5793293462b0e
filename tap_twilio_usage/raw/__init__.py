"""De-duplicate usage records that another tool has loaded: a file in, the same with shares out."""
