"""Many machines under chaos: a program that harms a real hub and its hosts, and looks whether anything was lost."""
