"""What the README says of the tap's memory, and the commands that measure it."""
