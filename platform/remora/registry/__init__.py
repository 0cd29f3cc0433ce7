"""What is released and what was tried: content-addressed bundles, their aliases, and the tracking database."""
