"""Tollgate without Tollgate: a simulator in front of payport's bank, and its harness."""
