"""Independence Metropolis."""
