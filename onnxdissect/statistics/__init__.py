"""How certain a result is: resampled images, shuffled annotations, p-values and their corrections.

``resamples`` draws and walks, for ``bootstrap`` (intervals) and ``paired`` (one network against another);
``permutation_null`` shuffles, ``significance`` makes p-values of it, ``corrections`` corrects for many tests,
``reliability`` says which detectors other images would show again; ``per_image_collector`` gathers.
"""
