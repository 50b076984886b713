"""What a node has of networks, which a job takes, and which it says that it used."""
