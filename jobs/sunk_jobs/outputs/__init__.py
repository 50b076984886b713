"""What programs leave behind: files whole or not there, results, the traces of a run."""
