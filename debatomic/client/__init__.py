"""`debatomic`, the command for people and scripts: plain Python over the HTTP API, without Django or settings."""

from debatomic.client.cli import main

__all__ = ["main"]
