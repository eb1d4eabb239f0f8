"""The stages: each a small module with one verb."""
