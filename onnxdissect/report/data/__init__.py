"""What a report says, gathered before any page is written.

``report_data`` gathers it all; ``units``, ``photos``, ``annotations`` and ``top_concepts`` a part each;
``previous_report`` takes over what an earlier report of the same run holds already.
"""
