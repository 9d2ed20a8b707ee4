"""The verbs: each builds from its configuration, calls, and writes."""
