"""`python -m babelscope` is `babelscope`."""

from babelscope.cli import main

main()
