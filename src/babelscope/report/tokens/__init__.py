"""The page of `babelscope tokens`."""
