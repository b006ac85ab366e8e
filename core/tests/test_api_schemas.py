"""Every recorded answer of the reference fits the shapes that our tables name, and so does every one of ours."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from starlette.routing import compile_path

from bns.api.methods import METHODS, call
from bns.api.rest_schemas import Error
from bns.api.routes import ENDPOINTS, OCTETS
from bns.api.schemas import Failed
from tests.api_nodes import golden, make_node

FILES = [
    "fuzz/valid_5",
    "fuzz/wild_3",
    "name_pre_regup_subdomain_lookups",
    "name_pre_reg_up_xfer_renew_xfer",
    "name_import_nextepoch_epoch3_expire_grace",
    "namespace_preorder_reveal_ready_multi",
]
CALL = re.compile(r"(\w+)\((.*)\)")
ROUTES = [(compile_path(endpoint.path)[0], endpoint) for endpoint in ENDPOINTS]


def fits(value: Any, shapes: tuple[Any, ...]) -> bool:
    for shape in shapes:
        if shape != OCTETS:
            try:
                msgspec.convert(value, shape, strict=True)
            except msgspec.ValidationError:
                continue
            return True
    return False


def is_crash(answer: dict[str, Any]) -> bool:
    return ("error" in answer and "http_status" not in answer) or not answer.keys().isdisjoint(
        {"xmlrpc_fault", "rig_error"}
    )


@pytest.mark.parametrize("name", FILES)
def test_answers_of_the_rpc(name: str) -> None:
    node = make_node(name)
    seen = set()
    for text, recorded in golden(name)["expected"]["rpc"].items():
        found = CALL.fullmatch(text)
        assert found is not None
        method = METHODS.get(found[1])
        if method is None or is_crash(recorded):
            continue
        shapes = (Failed,) if "error" in recorded else method.shapes
        assert fits(recorded, shapes), text
        ours = call(node, found[1], json.loads(f"[{found[2]}]"))
        assert fits(ours, (Failed,) if "error" in ours else method.shapes), text
        seen.add(found[1])
    assert len(seen) >= 34


@pytest.mark.parametrize("name", FILES)
def test_answers_of_rest(name: str) -> None:
    seen = set()
    for text, recorded in golden(name)["expected"]["rest"].items():
        method, target = text.split(" ", 1)
        path = target.partition("?")[0]
        for route, endpoint in ROUTES:
            if method == endpoint.method and route.fullmatch(path) and recorded["status"] < 500:
                shapes = endpoint.replies.get(recorded["status"], (Error,))
                if recorded["content_type"] == OCTETS:
                    assert OCTETS in shapes, text
                elif "json" in recorded:
                    assert fits(recorded["json"], (*shapes, Error) if recorded["status"] == 404 else shapes), text
                    seen.add(endpoint.path)
    assert len(seen) >= 25


@pytest.mark.parametrize(
    ("method", "arguments", "change"),
    [
        ("get_name_record", ["foo1.test"], lambda answer: answer["record"].update(did=None)),
        ("get_name_record", ["foo1.test"], lambda answer: answer["record"].pop("address")),
        ("get_name_record", ["foo1.test"], lambda answer: answer["record"].update(more=1)),
        ("get_name_record", ["foo1.test"], lambda answer: answer["record"].update(txid="0" * 63)),
        ("get_name_record", ["foo1.test"], lambda answer: answer["record"].update(revoked=0)),
        ("get_num_names", [], lambda answer: answer.update(count="3")),
        ("get_num_names", [], lambda answer: answer.update(count=-1)),
        ("get_num_names", [], lambda answer: answer.pop("lastblock")),
        ("get_blockstack_ops_at", [694, 0, 10], lambda answer: answer["nameops"][0].pop("name_consensus_hash")),
        ("get_name_history_page", ["foo1.test", 0], lambda answer: answer["history"].update(x=[])),
    ],
)
def test_what_does_not_fit(method: str, arguments: list[Any], change: Any) -> None:
    answer = call(make_node(), method, arguments)
    assert fits(answer, METHODS[method].shapes)
    change(answer)
    assert not fits(answer, METHODS[method].shapes)


def test_shapes_can_be_freed() -> None:
    """Decoders of all shapes come and go; freeing what is not theirs would end the process later."""
    program = """if True:
        import gc, msgspec
        from bns.api.methods import METHODS
        from bns.api.routes import ENDPOINTS, OCTETS
        replies = [shapes for endpoint in ENDPOINTS for shapes in endpoint.replies.values()]
        for shapes in [*replies, *(method.shapes for method in METHODS.values())]:
            for shape in shapes:
                if shape != OCTETS:
                    msgspec.json.Decoder(shape)
        gc.collect()
    """
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, env={"PYTHONMALLOC": "debug"}, check=False).returncode == 0
