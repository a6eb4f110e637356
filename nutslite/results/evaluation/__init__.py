"""From draws of a posterior to predictions that can be scored."""
