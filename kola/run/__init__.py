"""From the options that were typed to a plan that every process of a run shares."""
