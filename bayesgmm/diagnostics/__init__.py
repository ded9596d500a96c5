"""What to make of a fit: checks with advice, and ArviZ's layout."""
