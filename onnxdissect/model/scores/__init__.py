"""From a layer to the score of a class: which output holds it, and how units reach it.

``class_scores`` finds the vector of scores and the logits before a softmax; ``additive`` says whether they
are a sum over the units of a layer, each by itself, and which operator forbids it where they are not.
"""
