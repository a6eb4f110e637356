"""What is sampled: a log density with the way back to the model, and which of them serves."""
