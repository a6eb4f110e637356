"""The record Family, and how one is found."""
