"""What a model's posterior is made of, as records: numbers for kernels, names, coordinates."""
