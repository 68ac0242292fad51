"""What a check looks at beside the rows of the index, and the index without what cannot be read.

That is each image with its label maps, doubles, files that no row lists, and concepts that hardly occur.
`onnxdissect.data.broden.check` brings it together; ``cleaned`` opens a data set by its cleaned index.
"""
