"""The exactly-once runner: every request to do an action becomes an operation, and is done once.

runner.py    `run`: from a request to its answer, for passes in our database and at a remote issuer
lookup.py    where a request's passes live, and which one it is about
plan.py      what an operation is to make true at a remote issuer, and how far it is
record.py    what is written about an operation: pass, events, answer
resume.py    finishing operations whose callers do not come back; what people decide about those that stay unknown
action.py    what an action is
"""
