"""A tree as an OCI image: which layer a file is in, how layers are written, what the image says of itself."""
