"""One transition of NUTS, and a block of them: all that is compiled."""
