"""Slurm, spoken to over slurmrestd or in memory, behind one protocol."""
