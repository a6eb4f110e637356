"""Is a forecast calibrated? Values, bands, tests and errors by name."""
