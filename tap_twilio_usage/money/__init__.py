"""Usage records: parsing, exact amounts, and de-duplication. Pure functions, no I/O."""
