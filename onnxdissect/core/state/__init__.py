"""What a pass gathers, as plain values that pickle, merge and know which images they hold.

``pass_state`` holds all of it, a ``layer_state`` per layer (``thresholds``, ``top_images``, ``samples``);
``intake`` is what workers hand batches to, ``activation_reducer`` what takes in one layer's activations.
"""
