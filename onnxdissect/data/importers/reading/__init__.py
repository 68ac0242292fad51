"""What several formats read alike: files of a folder, masks as they were stored, lists of classes.

`find_files` lists images or masks, `match_files` finds which belong together; `read_class_list` and
`MaskReader` make label maps of indices and colours. Nothing here knows of a format.
"""
