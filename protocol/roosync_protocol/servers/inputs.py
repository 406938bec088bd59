"""What an editor asks a person for when a server starts (`${input:token}`): one definition, without its own name.

The name of an input is mostly that of a secret, and its `id` repeats it: left in, it would be taken for the secret.
"""

from roosync_protocol.forms import FormError
from roosync_protocol.names import Value

ID = "id"


class Inputs:
    """The form (see `forms`) of a list of inputs, whose names are their ids."""

    def common(self, name: str, value: Value, whole: Value = None) -> Value:
        if not isinstance(value, dict):
            return value
        return {field: one for field, one in value.items() if field != ID or one != name}

    def spelled(self, name: str, value: Value, now: Value | None, whole: Value = None) -> Value:
        if not isinstance(value, dict):
            raise FormError("an input should be an object")
        order = list(now) if isinstance(now, dict) else ["type", ID]
        whole_value = value | {ID: name}
        order += [field for field in (ID, *value) if field not in order]
        return {field: whole_value[field] for field in order if field in whole_value}
