"""One vocabulary of several: when two names are one, which synonyms there are, and a number for each concept.

``names`` compares spellings, ``synonyms`` reads tables beside that of ``own_synonyms``, ``uniting`` brings
the concepts of all data sets together, and ``numbering`` drops what is rare.
"""
