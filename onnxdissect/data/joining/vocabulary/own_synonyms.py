"""Names that data sets have for the very same thing.

Only what is one thing to everybody: the names of ADE20K, Pascal VOC, COCO, Cityscapes and CamVid, compounds
that some write in one word, and British beside American spelling. Names under which one data set draws more
than another are not here, see ``docs/join.md``.
"""

from __future__ import annotations

__all__ = ["OWN_SYNONYMS"]

OWN_SYNONYMS: tuple[tuple[str, str], ...] = (
    # vehicles
    ("aeroplane", "airplane"),
    ("automobile", "car"),
    ("lorry", "truck"),
    ("motor car", "car"),
    ("motorcar", "car"),
    ("motorbike", "motorcycle"),
    ("motor bike", "motorcycle"),
    ("motor cycle", "motorcycle"),
    # streets
    ("pavement", "sidewalk"),
    ("stoplight", "traffic light"),
    ("street lamp", "streetlight"),
    ("street light", "streetlight"),
    ("streetlamp", "streetlight"),
    ("traffic signal", "traffic light"),
    ("trafficlight", "traffic light"),
    ("trafficsign", "traffic sign"),
    ("fireplug", "fire hydrant"),
    # houses
    ("ashcan", "trash can"),
    ("bath tub", "bathtub"),
    ("couch", "sofa"),
    ("cellphone", "cell phone"),
    ("cellular phone", "cell phone"),
    ("cellular telephone", "cell phone"),
    ("diningtable", "dining table"),
    ("dustbin", "trash can"),
    ("fridge", "refrigerator"),
    ("garbage can", "trash can"),
    ("hair drier", "hair dryer"),
    ("hairdrier", "hair dryer"),
    ("hairdryer", "hair dryer"),
    ("microwave oven", "microwave"),
    ("mobile phone", "cell phone"),
    ("pottedplant", "potted plant"),
    ("remote", "remote control"),
    ("rubbish bin", "trash can"),
    ("television receiver", "television"),
    ("television set", "television"),
    ("trashcan", "trash can"),
    ("tv", "television"),
    ("tv set", "television"),
    ("wineglass", "wine glass"),
    # spellings
    ("aluminium", "aluminum"),
    ("banister", "bannister"),
    ("checkered", "chequered"),
    ("conveyor belt", "conveyer belt"),
    ("doughnut", "donut"),
    ("gray", "grey"),
    ("jewellery", "jewelry"),
    ("moustache", "mustache"),
    ("pyjamas", "pajamas"),
    ("tee shirt", "t-shirt"),
    ("tshirt", "t-shirt"),
    ("tyre", "tire"),
)
"""A name, and the one that a joined data set has for it."""
