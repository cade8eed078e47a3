"""From what was typed to a plan that every process of a run shares."""
