"""One person's data: handed out, or erased everywhere.

person.py      who is meant, and by what names the person is known
traces.py      where else data of the person stands
exporting.py   everything that is held of a person
erasing.py     erasing it, at the remote issuer too where that is wanted
"""
