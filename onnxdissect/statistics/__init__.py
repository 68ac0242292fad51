"""How certain a result is: resampled images, shuffled annotations, p-values and their corrections.

``resamples`` draws and walks, for ``bootstrap`` (intervals) and ``paired`` (one network against another),
whose counts ``paired_counts`` compares; ``shared_labels`` is what two have in common by chance;
``permutation_null`` shuffles, ``significance`` makes p-values of it, ``corrections`` corrects for many tests,
``reliability`` says which detectors other images would show again; ``per_image_collector`` gathers.
"""
