"""What every kernel and every family file needs: rows before and after a kernel's loop, checks of a response."""
