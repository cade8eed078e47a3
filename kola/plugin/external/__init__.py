"""External shell tests as pytest items."""
