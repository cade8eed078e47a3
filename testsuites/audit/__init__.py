"""Audits: all items of a kind in the guest are listed, and a rule or the profile judges each."""
