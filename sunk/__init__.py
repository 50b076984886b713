"""Slurm on Kubernetes: the bridge, the job toolkit, the local cluster and their command line."""

__version__ = "0.1.0.dev0"
