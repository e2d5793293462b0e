"""Usage records as FOCUS, the FinOps Open Cost and Usage Specification."""
