"""What the service costs, as ratios: `python -m bench`, or `make bench`.

Requests per second say more about the machine than about the service, so everything is measured against something
else in the same run, a moment apart:

    actions    against a bare Flask route (`bare.py`) under the same gunicorn settings
    lists      a million stored passes against a thousand
    startup    against the goals, in seconds and megabytes
"""
