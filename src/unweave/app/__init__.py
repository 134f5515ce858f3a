"""A run in a browser: `explorer` is what can be done, `interface` how it looks, `export` a folder to host."""
