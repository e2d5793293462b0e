"""The HTML report: charges (`warehouse`) are summed (`figures`) and drawn (`charts`, `page`)."""
