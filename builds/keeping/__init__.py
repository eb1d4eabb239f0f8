"""Retention of what tags and repositories hold: rules of tags, marks with time to undo, and what really goes."""
