"""Tags: which builds belong together, since when, and the repositories made of them."""
