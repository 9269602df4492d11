"""Keeping our record true to where the passes really live.

connections.py   an account's connection to a remote issuer: made, opened, forgotten
programs.py      its programs, and the webhooks of each
refresh.py       one pass, read again or found
webhooks.py      what the issuer's webhooks tell
imports.py       all passes of a program taken on record
expiry.py        telling of passes that have expired
erase.py         forgetting a holder
erased.py        keeping out people who were erased
"""
