"""Where a package comes from and where it went: pages of source packages, search by file name, provenance."""
