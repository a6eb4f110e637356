"""Mode, curvature, and the coordinates that follow from them, before sampling."""
