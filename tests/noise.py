"""What no log of a healthy run has."""

NOISE = (
    "METRIC",
    "Skipping deselected stream",
    "Skipping parse of env var",
    "config from env variable",
    "Beginning sync of",
    "INSERT INTO",
    "CREATE TABLE",
    "was not found in the catalog",
)
