"""Tables of the name database (spec 03 section 2), and the undo log that the reference lacks.

Identifiers are TEXT, so that a name that reads as a number stays what it is (spec 03 section 18, Q1). Tables without
rowid save a tree each: a block of one operation writes half the pages.
"""

from __future__ import annotations

SCHEMA_VERSION = 1

APPLICATION_ID = 0x424E5331
"""What tells our files from those of other programs: `BNS1` in the header of the file."""

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE snapshots (block_id INTEGER PRIMARY KEY, block_hash TEXT, consensus_hash TEXT NOT NULL, ops_hash TEXT);
CREATE INDEX snapshots_consensus_hash ON snapshots (consensus_hash);

CREATE TABLE chainstate (
    txid TEXT NOT NULL, txindex INT NOT NULL, block_id INT NOT NULL, vtxindex INT NOT NULL, opcode TEXT NOT NULL,
    data_hex TEXT NOT NULL, senders TEXT NOT NULL, tx_hex TEXT NOT NULL, fee INT NOT NULL,
    PRIMARY KEY (block_id, vtxindex)
) WITHOUT ROWID;

CREATE TABLE preorders (
    preorder_hash TEXT NOT NULL, consensus_hash TEXT NOT NULL, sender TEXT NOT NULL, sender_pubkey TEXT, address TEXT,
    block_number INT NOT NULL, op TEXT NOT NULL, op_fee INT NOT NULL, txid TEXT NOT NULL, vtxindex INT,
    burn_address TEXT NOT NULL,
    PRIMARY KEY (preorder_hash, block_number, txid)
) WITHOUT ROWID;
CREATE INDEX preorders_block ON preorders (block_number);

CREATE TABLE namespaces (
    namespace_id TEXT PRIMARY KEY, preorder_hash TEXT NOT NULL, version INT, sender TEXT NOT NULL, sender_pubkey TEXT,
    address TEXT, recipient TEXT NOT NULL, recipient_address TEXT, block_number INT NOT NULL, reveal_block INT NOT NULL,
    op TEXT NOT NULL, op_fee INT NOT NULL, txid TEXT NOT NULL, vtxindex INT NOT NULL, lifetime INT NOT NULL,
    coeff INT NOT NULL, base INT NOT NULL, buckets TEXT NOT NULL, nonalpha_discount INT NOT NULL,
    no_vowel_discount INT NOT NULL, ready_block INT NOT NULL
);

CREATE TABLE name_records (
    name TEXT PRIMARY KEY, preorder_hash TEXT NOT NULL, name_hash128 TEXT NOT NULL, namespace_id TEXT NOT NULL,
    namespace_block_number INT NOT NULL, value_hash TEXT, sender TEXT NOT NULL, sender_pubkey TEXT, address TEXT,
    block_number INT NOT NULL, preorder_block_number INT NOT NULL, first_registered INT NOT NULL,
    last_renewed INT NOT NULL, revoked INT NOT NULL, op TEXT NOT NULL, txid TEXT NOT NULL, vtxindex INT NOT NULL,
    op_fee NUMERIC NOT NULL, importer TEXT, importer_address TEXT, consensus_hash TEXT, last_creation_op TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX names_sender ON name_records (sender, revoked);
CREATE INDEX names_hash128 ON name_records (name_hash128);
CREATE INDEX names_preorder_hash ON name_records (preorder_hash);
CREATE INDEX names_value_hash ON name_records (value_hash, name);
CREATE INDEX names_address ON name_records (address, name);
CREATE INDEX names_namespace ON name_records (namespace_id, name);

CREATE TABLE history (
    txid TEXT NOT NULL, history_id TEXT NOT NULL, creator_address TEXT, block_id INT NOT NULL, vtxindex INT NOT NULL,
    op TEXT NOT NULL, opcode TEXT NOT NULL, value_hash TEXT, history_data TEXT NOT NULL,
    PRIMARY KEY (block_id, vtxindex)
) WITHOUT ROWID;
CREATE INDEX history_id_index ON history (history_id, block_id, vtxindex);
CREATE INDEX history_creator ON history (creator_address, block_id, vtxindex, op) WHERE creator_address IS NOT NULL;

CREATE TABLE keychains (namespace_id TEXT PRIMARY KEY, addresses TEXT NOT NULL);

CREATE TABLE undo (
    block_id INT NOT NULL, number INT NOT NULL, source TEXT NOT NULL, key TEXT NOT NULL, old TEXT,
    PRIMARY KEY (block_id, number)
) WITHOUT ROWID;
"""
