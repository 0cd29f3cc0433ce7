"""Finding candidates: the two towers, the index of item vectors, co-visitation, and the sources of a surface."""
