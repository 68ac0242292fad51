"""From files to batches.

``pixels`` decodes images and label maps with OpenCV, ``ahead`` does work in threads ahead of its consumer,
and ``stream`` gives batches of prepared images with their annotations.
"""
