"""The page of `babelscope neurons`."""
