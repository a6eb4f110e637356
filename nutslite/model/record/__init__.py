"""What a model is: its arguments and data, and the frozen record that is made of them."""
