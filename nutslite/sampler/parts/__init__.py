"""What a replaceable part is: its record, what it is given, how it is compiled, and the block that calls it."""
