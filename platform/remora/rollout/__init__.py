"""How a bundle that was built becomes production, and how it is taken back."""
