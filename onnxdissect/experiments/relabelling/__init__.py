"""The kept masks of a run scored against other labels of the same images, without the network.

``relabel`` is the call; ``images`` finds the images of the run in the other data set, ``kept_maps`` reads
what makes the masks, and ``labelled_masks`` brings both together.
"""
