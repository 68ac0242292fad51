"""What is asked of a candidate: a file for each rule, or for a few that share their sums.

Each has a `Rule`, with its words, its level and the function that finds where it is met. ``rules.rules``
puts them in order.
"""
