"""Alerts: rows of the warehouse (`warehouse`) become alerts, which are sent once (`sent`)."""
