"""How requests get from the network to the application: what gunicorn leaves open about clients, sockets and files."""
