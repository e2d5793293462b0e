"""Singer messages, and everything that uses undocumented parts of the Meltano SDK."""
