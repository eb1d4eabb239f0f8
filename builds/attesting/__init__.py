"""Statements of where packages come from, in signed envelopes: plain Python."""
