"""What no log of a healthy run has."""

NOISE = (
    "METRIC",
    "Skipping deselected stream",
    "Skipping parse of env var",
    "Beginning sync of",
    "INSERT INTO",
    "CREATE TABLE",
    "was not found in the catalog",
)
