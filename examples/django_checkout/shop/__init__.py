"""The shop: one Django application that is its project as well."""
