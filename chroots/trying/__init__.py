"""Trying something in a chroot: packages and files in, a script, files and the difference out; by a host, as a task."""
