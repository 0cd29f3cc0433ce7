"""How a bundle comes into production: gates, and steps under live traffic."""
