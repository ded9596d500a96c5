"""Linear algebra, packed second moments, precision and chunked rows. Knows no mixture."""
