"""What a node's fast network is, and the variables that make NCCL and MPI use it.

``python3 -m sunk_jobs.fabric_env`` reads this node's sysfs, prints ``export NAME='value'`` lines
with the reason above each, and writes the evidence as JSON. ``python3 -m sunk_jobs.fabric_env
check FILE...`` compares the evidence of a job's nodes before its main step starts.
"""
