"""The composition root: settings in, concrete clients and services out; nobody else builds them.

One module for each kind of command, so that a command loads only what it needs: `clients`
(Kubernetes and slurmrestd), `login` (Slurm's own commands), `local` (the local cluster, the demo).
`sunk.wiring.__main__` is the entry point of helper processes that need a concrete client.
"""
