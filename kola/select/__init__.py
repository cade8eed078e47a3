"""Which tests run: patterns, tags, filters, denylist, shards."""
