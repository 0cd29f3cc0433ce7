"""A world with known truth: users who look, click, come back or leave, over items that arrive and perish."""
