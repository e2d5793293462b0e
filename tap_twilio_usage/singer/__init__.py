"""Singer messages, and everything that touches the SDK below its documented surface."""
