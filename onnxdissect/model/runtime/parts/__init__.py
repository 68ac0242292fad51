"""A network run as head and tail: images to a layer, and the layer's activations to outputs.

``opening`` splits a network and loads both parts, ``network_parts`` is what runs them: the tail without the
head, so that units can be changed and many changes be run in a batch.
"""
