"""A Dagster job that loads many accounts with several Meltano runs in parallel."""
