"""The replaceable parts that there are, one file each; `choices` has their names."""
