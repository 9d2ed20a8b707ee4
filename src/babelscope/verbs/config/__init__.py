"""From configuration to what a verb calls: checks and objects."""
