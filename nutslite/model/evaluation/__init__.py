"""How good a model's predictions are: fits without rows, and their scores."""
