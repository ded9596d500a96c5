"""What comes in: one table, checked once, and the affine map to the units engines work in."""
