"""Everything that is said of one prediction: what is measured, its tables, its words, its pictures."""
