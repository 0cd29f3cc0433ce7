"""Components that are not of Remora, each as a user would write it."""
