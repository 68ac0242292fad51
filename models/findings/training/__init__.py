"""What is trained: recipes, tasks and images, the networks and their files.

Only `networks` and `tasks` need torch.
"""
