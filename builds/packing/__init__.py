"""Source packages out of git repositories: plain Python, for hosts and for people."""
