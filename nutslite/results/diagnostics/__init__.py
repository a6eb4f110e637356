"""Whether draws can be trusted, and the table that says so."""
