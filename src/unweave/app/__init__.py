"""A run in a browser: `explorer` is what can be done, `interface` how it looks, `space` a folder to host."""
