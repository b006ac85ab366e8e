"""More examples for property tests: loaded by `pytest -p`, it adds the profile `thorough` of hypothesis."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("thorough", max_examples=2000, deadline=None, database=None, print_blob=True)
