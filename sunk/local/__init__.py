"""The local cluster: a real Kubernetes on this machine and the Slurm cluster on it."""
