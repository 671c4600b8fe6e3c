"""The revisions, each frozen once it was released."""
