"""Writing that survives: files that are whole or absent, and arrays that say what is wrong with them.

``files`` writes beside and renames into place; ``schema`` says what an archive of arrays has to hold,
``archive_writer`` writes one and ``archive_reader`` reads it back and refuses damaged or foreign ones.
``blocks`` does the same for files that grow block by block within a run, ``document`` for results in JSON.
``user_cache`` names the folder of what is kept from run to run, ``characters`` says which any file takes.
"""
