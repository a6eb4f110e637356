"""Links by name and of the user's own, and which of them a parameter has."""
