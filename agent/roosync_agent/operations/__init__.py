"""Everything a person or an assistant can ask, one function each; the faces only translate."""
