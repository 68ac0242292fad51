"""What of a comparison is kept in a folder: ``comparison.json``, tables as CSV, ``comparison.md``.

``stored`` writes and reads them, ``tables`` has the columns, ``markdown`` and ``wording`` the text;
``schema`` bounds every field that is read, ``agreement`` says whether they go together.
"""
