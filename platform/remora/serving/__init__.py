"""The request path over HTTP: thin Ray Serve deployments around plain objects, in two topologies."""
