"""`python -m babelscope` is `babelscope`."""

from babelscope.cli import main

if __name__ == "__main__":  # processes of a sweep import this module under another name
    main()
