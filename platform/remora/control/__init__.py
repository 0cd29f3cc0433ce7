"""Documents by which the processes of a home follow each other: what shall be served, and what serves."""
