"""What is kept of a dissected network, and what `base` is asked beyond one dissection.

Nothing needs torch.
"""
