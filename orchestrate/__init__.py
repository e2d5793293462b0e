"""A company of many accounts, loaded by several runs of Meltano at a time, with Dagster."""
