"""The database: tables, engine, migrations, and how rows become the values of `app/model.py`."""
