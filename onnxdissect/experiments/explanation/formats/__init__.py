"""Explanations outside of memory.

``stored`` writes them, ``loading`` reads them back by the rules of ``schema``, ``wording`` says them in a
sentence.

``segments`` writes the legends of painted images; ``folder`` lists the files of the page, ``told_units`` says
which units a report can lead from.

Callers use what the room around names.
"""
