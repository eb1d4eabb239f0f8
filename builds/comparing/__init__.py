"""Two builds of one source package, side by side."""
