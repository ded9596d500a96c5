"""scikit-learn's faces of the package. Thin: no mathematics."""
