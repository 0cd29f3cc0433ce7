"""Rules of a surface that are not learned: what may be shown, and in which order."""
