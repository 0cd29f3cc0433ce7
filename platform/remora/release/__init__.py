"""Gates before a bundle is promoted, and the rollout that brings it to users step by step."""
