"""Ways of sampling a target."""
