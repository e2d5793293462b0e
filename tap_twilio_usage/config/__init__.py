"""The settings: their schema, their values, and what the credentials can read."""
