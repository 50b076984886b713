"""What training programs do alike, short of what needs torch to import."""
