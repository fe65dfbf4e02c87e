"""Settings by which any kind of destination chooses: which events it wants, in which form, and how late."""

from webapp.providers.forms import FieldKind, FormField

TYPES = FormField(
    name="types",
    label="Event types",
    default="*",
    help="Patterns separated by spaces: deployment* takes deployment and deployment.finished.",
    max_length=2048,
)
#: of those, the ones that are as its conditions say (webapp.core.streams.conditions)
WHERE = FormField(
    name="where",
    label="Only where",
    kind=FieldKind.LINES,
    required=False,
    help="One condition a line, and all must hold: data.environment = production · data.service in cart "
    "checkout · subject ~ checkout-* · data.level != debug · data.team present · data.canary absent.",
    max_length=8192,
)
#: webapp.core.streams.mapping
MAPPING = FormField(
    name="mapping",
    label="Mapping",
    kind=FieldKind.LINES,
    required=False,
    help="Changes of the envelope, from the top down: data.region -> region renames, - data.secret drops, "
    "data.team = payments sets a text. What the event is and when it happened cannot be changed.",
    max_length=8192,
)
#: webapp.core.streams.freshness
FRESH_FOR = FormField(
    name="fresh_for",
    label="Fresh for",
    required=False,
    help="What waited longer since it was accepted is not sent any more but expires: 15 m, 2 h, 1 d. Empty: "
    "nothing expires. While a destination is held nothing does; rewound and backfilled events never do.",
    max_length=16,
)

#: of kinds that send envelopes
CHOOSING = (TYPES, WHERE, MAPPING, FRESH_FOR)
#: of kinds that pass on what came by OTLP: its body is protobuf and goes out as it came
CHOOSING_OTLP = (FRESH_FOR,)
