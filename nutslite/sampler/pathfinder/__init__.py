"""Pathfinder: normals on the way to a mode, for any log density."""
