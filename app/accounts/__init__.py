"""Who may act: accounts and their API keys."""
