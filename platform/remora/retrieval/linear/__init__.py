"""Members in closed form: linear in what a user had, without a training loop."""
