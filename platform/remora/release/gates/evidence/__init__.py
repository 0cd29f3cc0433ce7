"""What the gates decide on, measured of a candidate and, where there is one, of production."""
