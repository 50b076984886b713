"""The linter of sbatch scripts: what goes wrong with them, found before they are submitted."""
