"""Points, densities and draws by the names that users know."""
