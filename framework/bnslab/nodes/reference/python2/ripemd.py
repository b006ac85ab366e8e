"""Gives hashlib the hash RIPEMD-160 where it lacks it: a Python without OpenSSL, or with one that has given it up."""

from __future__ import absolute_import

import hashlib

try:
    hashlib.new("ripemd160")
except ValueError:
    from Cryptodome.Hash import RIPEMD160

    _hash_new = hashlib.new

    def _new(name, data=b""):
        return RIPEMD160.new(data) if name.lower() == "ripemd160" else _hash_new(name, data)

    hashlib.new = _new
