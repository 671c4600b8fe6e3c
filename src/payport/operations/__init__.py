"""The write-ahead journal: one operation, at most one effect. Keys, sending, concluding."""
