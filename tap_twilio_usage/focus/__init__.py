"""Usage records in FOCUS, the FinOps Open Cost and Usage Specification."""
