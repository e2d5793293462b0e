"""The figures of the report: pure, exact, of sums that the warehouse made."""
