"""A second implementation of the consensus rules, from the text of the specification alone.

It shares no rule code with the core: dictionaries and plain functions, slow and short, to be read beside Spec 01 and
Spec 02. It takes only bytes, keys, addresses and the constants of a network from bns.
"""

from bnslab.fuzz.model.model import Model, Outcome

__all__ = ["Model", "Outcome"]
