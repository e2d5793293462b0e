"""Usage records and their money: parsed, exact, and each dollar counted once. Pure."""
