"""From a file to a graph: protobuf, external data, bfloat16, bound inputs, and repairs.

``model_file`` reads and checks; the others each put one thing right before anything else looks at the graph;
``shape_probe`` runs it once for shapes and element types. Callers use `onnxdissect.model.load_network`.
"""
