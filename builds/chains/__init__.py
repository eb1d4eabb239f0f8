"""Several source packages that need each other: built in order, each with what the ones before made."""
