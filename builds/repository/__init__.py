"""Signed APT repositories as folders of files: plain Python, no Django. `python -m builds.repository`."""
