"""What is recorded of a compose so that it can be compared: changelogs, sizes, defaults in /etc, objects."""
