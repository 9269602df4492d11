"""How the tables came to be, one step a file in `versions/`; `store/migrate.py` runs them."""
