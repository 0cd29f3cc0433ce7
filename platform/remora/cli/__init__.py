"""The `remora` command: one file a noun."""
