"""Uses of a fit: densities, responsibilities, partitions, samples."""
