"""Ways in: what a source package has to pass before it becomes a build, and how many come at once."""
