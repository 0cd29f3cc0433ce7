"""A project of one's own: a folder with settings, feature declarations, jobs and the Serve app."""
