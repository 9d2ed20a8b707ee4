"""The run folder: what it holds, what it was begun on, and whether a command goes on with it."""
