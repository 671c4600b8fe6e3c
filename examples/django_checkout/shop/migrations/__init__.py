"""The shop's own tables; payport brings its own."""
