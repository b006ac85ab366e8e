"""Bytes of Bitcoin: transactions, blocks, scripts, addresses, keys and signatures.

Everything here is a pure function or an immutable value over bytes. Hashes of transactions and blocks are bytes in wire
order unless a name or docstring says hex, which is the reversed order that people read. Of the name system the package
knows its two magic bytes and nothing else. Import the modules directly.
"""
