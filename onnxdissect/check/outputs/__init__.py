"""A verdict for others: as Markdown, SARIF, JUnit, workflow annotations, and a page.

One module for each, fed with a `Verdict`. ``characters`` and ``location`` are what they share.
"""
