"""A run: settings in, draws on the natural scale out, and what stands around it."""
