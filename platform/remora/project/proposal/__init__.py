"""A settings file proposed from a user's tables: what each column is, with the evidence, and what is not sure."""
