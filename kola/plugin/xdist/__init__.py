"""The xdist part of the plugin: workers, scheduling, and data passed between the processes."""
