"""The engine's command line: one module per group of verbs, and the table of them."""
