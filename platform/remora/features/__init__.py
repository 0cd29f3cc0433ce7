"""Features: the transforms, the tables behind Feast's views, and every way to read them."""
