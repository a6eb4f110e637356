"""What a model is fitted with, and what is made of its draws."""
