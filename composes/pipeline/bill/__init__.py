"""The bill of materials: what a system is made of, as auditors' tools read it, and what is known against it."""
