"""What failed first in an attempt, what it says about nodes, and the way back."""
