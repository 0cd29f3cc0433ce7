"""Settings to live objects: the only package that names every adapter."""
