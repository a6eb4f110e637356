"""What the files of families share: rows around a kernel's loop, checks of a response."""
