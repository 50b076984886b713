"""Programs that run on compute nodes; the standard library alone suffices to import them.

Each program is a module with a `main`; libraries such as mpi4py are imported inside it, so that
``--help``, unit tests and a login node without MPI work.
"""
