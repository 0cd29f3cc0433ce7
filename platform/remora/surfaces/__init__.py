"""The places of a product that show slates: one file is one whole request path."""
