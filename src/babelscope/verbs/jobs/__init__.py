"""The jobs of sweeps: their records, and rerunning them."""
