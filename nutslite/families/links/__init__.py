"""Links: the closed set, the user's own, the links of a parameter, and the way between them for whole rows."""
