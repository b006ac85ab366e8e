"""What can go wrong with the clients of others."""

from __future__ import annotations

from bnslab.errors import LabError


class ClientUnavailable(LabError):
    """A client, or something that it or a test needs, cannot be had on this machine: why, and what to do."""


class ClientError(LabError):
    """A client answered a call with an error, or not at all."""
