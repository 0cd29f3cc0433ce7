"""Steps under live traffic, which bring a bundle to users or take it back."""
