"""The jobs of sweeps: their records, how they stand, and running them again."""
