"""The peer network that brings every announced zone file to every node (spec 05)."""
