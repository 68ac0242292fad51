"""The content of a report, gathered before any page is written.

``report_data`` gathers it all; ``units``, ``photos``, ``annotations`` and ``top_concepts`` a part each;
``images`` finds the run's images, ``previous_report`` takes over what an earlier report already holds.
"""
