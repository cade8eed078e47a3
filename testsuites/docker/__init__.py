"""Docker runs containers once somebody starts it."""
