"""A third-party method for unweave."""
