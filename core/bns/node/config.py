"""The node's configuration: blockstack-server.ini of the reference, read as it is (spec 08 sections 3 and 10)."""

from __future__ import annotations

import os
from configparser import ConfigParser
from configparser import Error as ParsingError
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from bns.api.arguments import is_name
from bns.api.chain import VERSION
from bns.atlas.addresses import parse_hostport
from bns.errors import BnsError
from bns.params import Params

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME = "blockstack-server.ini"
STUN = "<stun>"
"""The host name that makes the reference ask a STUN server; see bns.node.network."""

RULES_SECTION = "environment"
"""The section whose keys are environment variables of the reference: test mode, and rules of private chains."""

_TRUE = frozenset({"1", "true", "on", "yes", "y", "enabled"})
_FALSE = frozenset({"0", "false", "off", "no", "n", "disabled", ""})
_OLDEST = (0, 17)
_SEEDS = "node.blockstack.org:6264"
_T = TypeVar("_T")


class ConfigError(BnsError):
    """A configuration file cannot be used; path says which, problem what is wrong and where."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path


class ObsoleteConfig(ConfigError):
    """The file was written by a version whose files are no longer understood."""


def option(text: str, default: Any = MISSING) -> Any:  # noqa: ANN401 - of the type of the field
    """A key of the file: what it means, and its default."""
    return field(default=default, metadata={"text": text})


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Section [blockstack]."""

    rpc_port: int = option("Port of the XML-RPC server")
    zonefiles: Path = option("Directory of the zone files")  # noqa: RUF009 - makes a field
    atlasdb_path: Path = option("File that keeps the addresses of peers")  # noqa: RUF009
    atlas_port: int = option("Port that this node tells its peers")
    enabled: bool = option("Index the chain and answer RPC (must be on)", default=True)
    rpc_host: str = option("Address the XML-RPC server listens at; 0.0.0.0 for all", default="127.0.0.1")
    backup_frequency: int = option("Blocks between two backups", default=144)
    backup_max_age: int = option("Blocks for which a backup is kept", default=1008)
    announcers: tuple[str, ...] = option(
        "Names that may announce, separated by commas", default=("judecn.id", "muneeb.id", "shea256.id")
    )
    server_version: str = option("Version that wrote this file", default=VERSION)
    atlas: bool = option("Exchange zone files with peers, and serve them and subdomains", default=True)
    atlas_seeds: tuple[str, ...] = option("Peers to begin with, as host:port, separated by commas", default=())
    atlas_blacklist: tuple[str, ...] = option("Peers not to forget, as host:port, separated by commas", default=())
    atlas_hostname: str = option("Host that this node tells its peers; <host> for the name of this one", default=STUN)


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Section [blockstack-api]."""

    api_port: int = option("Port of the REST server")
    enabled: bool = option("Run the REST server", default=True)
    api_host: str = option("Address the REST server listens at; 0.0.0.0 for all", default="localhost")


@dataclass(frozen=True, slots=True)
class BitcoindSettings:
    """Section [bitcoind]."""

    server: str = option("Host of bitcoind", default="localhost")
    port: int = option("Port of bitcoind's RPC server", default=8332)
    user: str = option("User name at bitcoind", default="blockstack")
    passwd: str = option("Password at bitcoind", default="blockstacksystem")
    timeout: float = option("Seconds to wait for bitcoind at most", default=300.0)
    regtest: bool = option("Whether the chain is a regtest chain", default=False)


_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Config:
    """All of a configuration. `rules` are the variables of section [environment], spec 08 section 4."""

    path: Path
    working_dir: Path
    node: NodeSettings
    api: ApiSettings
    bitcoind: BitcoindSettings
    rules: Mapping[str, str]

    @property
    def test_mode(self) -> bool:
        """Whether the node is in the reference's test mode."""
        return bool(self.rules.get("BLOCKSTACK_TEST"))

    @property
    def params(self) -> Params:
        """The constants of the chain; InvalidInput if a variable has no good value."""
        params = Params.from_reference_env(self.rules)
        if not all(map(is_name, self.node.announcers)):
            return params  # one bad name, and none of them counts
        return replace(params, announcers=self.node.announcers)

    @property
    def confirmations(self) -> int:
        """Blocks that must lie on top of a block before it is indexed."""
        return self._number("BLOCKSTACK_CORE_NUM_CONFS", 0 if self.test_mode else 6)

    @property
    def requests_at_once(self) -> int:
        """Requests that each server works on at a time; what comes beyond is turned away."""
        return self._number("BLOCKSTACK_RPC_MAX_THREADS", 1000)

    def _number(self, variable: str, default: int) -> int:
        text = self.rules.get(variable, str(default))
        if not (text.isascii() and text.isdigit()):
            raise ConfigError(self.path, f"{variable}: expected a number, got {text!r}")
        return int(text)

    @property
    def poll_seconds(self) -> float:
        """The longest time between two looks at the chain."""
        return 1.0 if self.test_mode else 300.0

    @property
    def stale_seconds(self) -> float:
        """How long after its last look a node is stale."""
        return 5.0 if self.test_mode else 7200.0


def load(working_dir: Path, path: Path | None = None, extra_rules: Mapping[str, str] = _EMPTY) -> Config:
    """The configuration in a file, by default the one in the working directory; defaults where there is no file.

    extra_rules come on top of section [environment]. Raises ConfigError if the file cannot be read or a value is not of
    its type, ObsoleteConfig if its version is too old.
    """
    path = path or working_dir / FILE_NAME
    parser = _parse(path)
    if parser.sections():
        _check_version(parser.get("blockstack", "server_version", fallback=""), path)
    given = parser.items(RULES_SECTION) if parser.has_section(RULES_SECTION) else ()
    rules = {key.upper(): value for key, value in given} | dict(extra_rules)
    test_mode = bool(rules.get("BLOCKSTACK_TEST"))
    node = {
        "rpc_port": 16264 if test_mode else 6264,
        "zonefiles": working_dir / "zonefiles",
        "atlasdb_path": working_dir / "atlas.db",
        "atlas_port": 16264 if test_mode else 6264,
        "atlas_seeds": rules.get("BLOCKSTACK_ATLAS_SEEDS", "" if test_mode else _SEEDS),
        "atlas_hostname": rules.get("BLOCKSTACK_ATLAS_HOSTNAME", STUN),
    }
    api = {
        "api_port": rules.get("BLOCKSTACK_API_PORT", "16268" if test_mode else "6270"),
        "api_host": rules.get("BLOCKSTACK_API_HOST", "localhost"),
    }
    found = _section(NodeSettings, parser, "blockstack", node, path)
    config = Config(
        path,
        working_dir,
        replace(found, zonefiles=working_dir / found.zonefiles, atlasdb_path=working_dir / found.atlasdb_path),
        _section(ApiSettings, parser, "blockstack-api", api, path),
        _section(BitcoindSettings, parser, "bitcoind", {}, path),
        rules,
    )
    _check(config)
    return config


def save(config: Config) -> None:
    """Write the file, readable by its owner only. Other sections and keys that it has stay."""
    parser = _parse(config.path)
    for name, settings in _sections(config):
        if not parser.has_section(name):
            parser.add_section(name)
        for each in fields(settings):
            parser.set(name, each.name, text_of(getattr(settings, each.name)).replace("%", "%%"))
    unfinished = config.path.with_name(config.path.name + ".new")
    config.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        parser.write(file)
    unfinished.replace(config.path)


def _sections(config: Config) -> tuple[tuple[str, Any], ...]:
    return ("bitcoind", config.bitcoind), ("blockstack", config.node), ("blockstack-api", config.api)


def text_of(value: object) -> str:
    """A value as it stands in the file."""
    return ",".join(value) if isinstance(value, tuple) else str(value)


def value_of(kind: object, text: str, what: str, path: Path) -> Any:  # noqa: ANN401 - of that kind
    """The value that a text of the file stands for; ConfigError if it is not of the kind."""
    text = text.strip()
    if kind is bool:
        if text.lower() not in _TRUE | _FALSE:
            raise ConfigError(path, f"{what}: expected true or false, got {text!r}")
        return text.lower() in _TRUE
    if kind is int or kind is float:
        try:
            return kind(text)
        except ValueError:
            raise ConfigError(path, f"{what}: expected a number, got {text!r}") from None
    if kind is Path:
        return Path(text).expanduser()
    return text if kind is str else tuple(filter(None, (part.strip() for part in text.split(","))))


_S = TypeVar("_S", NodeSettings, ApiSettings, BitcoindSettings)


def checked(settings: _S, key: str, text: str, config: Config) -> _S:
    """A section with another value for a key; ConfigError if the value cannot be meant."""
    value = value_of(get_type_hints(type(settings))[key], text, key, config.path)
    changed = replace(settings, **{key: value})
    parts = {NodeSettings: "node", ApiSettings: "api", BitcoindSettings: "bitcoind"}
    part: dict[str, Any] = {parts[type(changed)]: changed}
    _check(replace(config, **part))
    return changed


def _parse(path: Path) -> ConfigParser:
    parser = ConfigParser()
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror or error}") from None
    except (ParsingError, UnicodeDecodeError) as error:
        raise ConfigError(path, f"expected an INI file: {' '.join(str(error).split())}") from None
    return parser


def _section(kind: type[_T], parser: ConfigParser, name: str, defaults: Mapping[str, Any], path: Path) -> _T:
    values = {}
    for key, hint in get_type_hints(kind).items():
        try:
            text = parser.get(name, key, fallback=defaults.get(key))
        except ParsingError as error:
            raise ConfigError(path, f"[{name}] {key}: {' '.join(str(error).split())}") from None
        if text is not None:
            values[key] = value_of(hint, str(text), f"[{name}] {key}", path)
    return kind(**values)


def _check(config: Config) -> None:
    ports = {"[blockstack] rpc_port": config.node.rpc_port, "[blockstack-api] api_port": config.api.api_port}
    for what, port in {**ports, "[bitcoind] port": config.bitcoind.port}.items():
        if not 0 < port < 65536:
            raise ConfigError(config.path, f"{what}: expected a port from 1 to 65535, got {port}")
    if not 0 < config.node.atlas_port < 65535:
        raise ConfigError(
            config.path, f"[blockstack] atlas_port: expected a port from 1 to 65534, got {config.node.atlas_port}"
        )
    for key in ("atlas_seeds", "atlas_blacklist"):
        for text in getattr(config.node, key):
            if parse_hostport(text, config.node.atlas_port) is None:
                raise ConfigError(config.path, f"[blockstack] {key}: expected host:port, got {text!r}")
    for key in ("backup_frequency", "backup_max_age"):
        if getattr(config.node, key) < 1:
            raise ConfigError(config.path, f"[blockstack] {key}: expected at least 1 block")
    if not 0 < config.bitcoind.timeout < float("inf"):
        raise ConfigError(config.path, "[bitcoind] timeout: expected seconds above 0")
    if not config.node.enabled:
        raise ConfigError(config.path, "[blockstack] enabled: expected true: a node without an index is not supported")


def _check_version(found: str, path: Path) -> None:
    """Spec 08 section 10; what is no version at all counts as too old."""
    parts = found.split(".")
    if len(parts) >= 3 and all(part.isascii() and part.isdigit() for part in parts):
        version = int(parts[0]), int(parts[1])
        if version >= _OLDEST:
            return
    raise ObsoleteConfig(
        path, f"obsolete or unrecognizable config file: server_version is {found!r}, expected {VERSION!r}"
    )
