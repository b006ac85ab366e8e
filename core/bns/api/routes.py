"""The table of REST routes (spec 07 section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.convertors import Convertor, register_url_convertor

from bns.api import rest_chain, rest_names, rest_schemas, schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OCTETS = "application/octet-stream"

_LETTERS = r"[a-zA-Z0-9\-_.~%]"
PATTERNS = {
    "segment256": _LETTERS + "{1,256}",
    "segment40": _LETTERS + "{1,40}",
    "hex40": "[0-9a-fA-F]{40}",
    "hex64": "[0-9a-fA-F]{64}",
    "digits": "[0-9]+",
    "did": "did:stack:v0:[1-9A-HJ-NP-Za-km-z]+-[0-9]+",
    "anything": ".*",
}
"""Kinds of path segments and the expressions that they match."""


class Endpoint(NamedTuple):
    """A route: its path, its function, the parameters of its query, and the shapes of its replies by status.

    A reply may have one of several shapes; the text of a media type stands for bytes of it. A long route looks at as
    many rows as there are. The answer of a live one tells of more than the chain and the zone files.
    """

    path: str
    function: Callable[..., Any]
    replies: Mapping[int, tuple[Any, ...]]
    query: tuple[str, ...] = ()
    method: str = "GET"
    long: bool = False
    live: bool = False


def _get(
    path: str,
    function: Callable[..., Any],
    *shapes: Any,  # noqa: ANN401 - types and generic aliases
    query: str = "",
    long: bool = False,
    live: bool = False,
    **more: tuple[Any, ...],
) -> Endpoint:
    """A route whose status 200 has these shapes; more are others, named s400 and so on; errors need not be named."""
    replies = {200: shapes, **{int(status[1:]): others for status, others in more.items()}}
    return Endpoint(path, function, replies, tuple(query.split()), long=long, live=live)


_NAME = "/v1/names/{name:segment256}"
_NAMESPACE = "/v1/namespaces/{namespace_id:segment40}"
_CHAIN = "/v1/blockchains/{chain:segment40}"
_INSIGHT = "/insight-api/addr/{address:segment40}"
_LIST = list[str]
_ERROR = (rest_schemas.Error,)

ENDPOINTS = (
    _get(
        _NAME, rest_names.name, rest_schemas.NameInfo, rest_schemas.SubdomainInfo,
        s301=(rest_schemas.Redirect,), s404=(rest_schemas.Available, rest_schemas.Error),
    ),
    _get("/v1/ping", rest_chain.ping, schemas.Ping),
    _get("/v1/node/ping", rest_chain.ping, schemas.Ping),
    _get("/v1/info", rest_chain.info, schemas.Info, live=True),
    _get("/v1/names", rest_names.names, _LIST, query="page all", long=True),
    _get(_NAME + "/history", rest_names.history, schemas.NameHistory, schemas.SubdomainHistory, query="page"),
    _get(_NAME + "/zonefile", rest_names.zonefile, rest_schemas.ZonefileText, rest_schemas.Error, OCTETS, query="raw"),
    _get(
        _NAME + "/zonefile/{hash_:hex40}", rest_names.past_zonefile, rest_schemas.ZonefileText, OCTETS,
        query="raw", s204=(),
    ),
    _get("/v1/zonefiles/{hash_:hex40}", rest_names.any_zonefile, OCTETS),
    Endpoint("/v1/zonefile", rest_names.push_zonefile, {200: (rest_schemas.Pushed,)}, method="POST", live=True),
    _get("/v1/subdomains", rest_names.subdomains, _LIST, query="page", long=True),
    _get("/v1/subdomains/{txid:hex64}", rest_names.subdomain_operations, list[schemas.SubdomainOp]),
    _get("/v1/addresses/{chain:segment256}/{address:segment40}", rest_names.addresses, rest_schemas.Names, long=True),
    _get("/v1/namespaces", rest_chain.namespaces, _LIST, query="offset count"),
    _get(_NAMESPACE, rest_chain.namespace, schemas.NamespaceRecord),
    _get(_NAMESPACE + "/names", rest_chain.namespace_names, _LIST, query="page", long=True),
    _get(_NAMESPACE + "/name_count", rest_chain.namespace_count, rest_schemas.NamesCount, long=True),
    _get("/v1/users/{name:segment256}", rest_names.user, dict[str, Any]),
    _get("/v1/dids/{did:did}", rest_names.did, rest_schemas.DidDocument),
    _get("/v1/prices/names/{name:segment256}", rest_chain.name_price, rest_schemas.NamePrice),
    _get("/v1/prices/namespaces/{namespace_id:segment40}", rest_chain.namespace_price, rest_schemas.Price),
    _get("/v2/prices/names/{name:segment256}", rest_chain.name_price, rest_schemas.NamePrice),
    _get("/v2/prices/namespaces/{namespace_id:segment40}", rest_chain.namespace_price, rest_schemas.Price),
    # these two have no end: spec 07 section 4
    _get(_CHAIN + "/name_count{more:anything}", rest_chain.name_count, rest_schemas.NamesCount, query="all", long=True),
    _get(
        "/v1/blockchains/{chain:segment256}/subdomains_count{more:anything}",
        rest_chain.subdomains_count, rest_schemas.NamesCount, long=True,
    ),
    _get(_CHAIN + "/consensus", rest_chain.consensus, rest_schemas.ConsensusHash),
    _get(_CHAIN + "/operations/{height:digits}", rest_chain.operations, list[schemas.AnyState]),
    _get(_CHAIN + "/names/{name:segment40}", rest_names.raw_record, schemas.NameRecord, schemas.SubdomainRecord),
    _get(_INSIGHT + "/balance", rest_chain.balance, int, s404=(), s502=_ERROR),
    _get(_INSIGHT + "/unconfirmedBalance", rest_chain.unconfirmed_balance, int, s404=(), s502=_ERROR),
    _get(_INSIGHT + "/utxo", rest_chain.unspents, list[rest_schemas.Unspent], s404=(), s502=_ERROR),
)  # fmt: skip
"""All routes but the preflights; those that are asked most come first."""


class _Segment(Convertor[str]):
    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


for _kind, _pattern in PATTERNS.items():
    register_url_convertor(_kind, type("_Segment", (_Segment,), {"regex": _pattern})())
