"""The settings: their schema, their values, what is wrong with them, and what they can read."""
