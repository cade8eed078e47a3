"""Kept machines: their keeper, the register, and access to them."""
