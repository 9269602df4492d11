"""The job queue: a file of this machine, or Redis. It may lose jobs: the sweeps of `jobs.py` find the rows."""
