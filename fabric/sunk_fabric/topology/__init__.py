"""Analysis of a discovered fabric: levels, rails, capacity, differences; pure."""
