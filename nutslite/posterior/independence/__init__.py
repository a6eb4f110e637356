"""Independence Metropolis: which proposal fits a posterior, and a chain over its draws."""
