"""Token tables: writing systems, neighbours and translations."""
