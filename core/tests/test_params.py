"""Parameters: epochs, the reference's environment overrides, namespace prices (spec 02 section 1)."""

from __future__ import annotations

from dataclasses import fields

import pytest

from bns.bitcoin.network import MAINNET, TESTNET
from bns.errors import InvalidInput
from bns.params import EPOCH_1, EPOCH_2, EPOCH_3, SUBDOMAINS_VARIABLE, Feature, NamespacePrices, Params

TEST_MODE = {"BLOCKSTACK_TEST": "1"}
APPENDIX_A = {
    "BLOCKSTACK_TEST": "1",
    "BLOCKSTACK_TESTNET": "1",
    "BLOCKSTACK_EPOCH_1_END_BLOCK": "373602",
    "BLOCKSTACK_EPOCH_2_END_BLOCK": "373603",
}


@pytest.mark.parametrize(
    ("height", "number"),
    [(0, 1), (373601, 1), (436650, 1), (436651, 2), (488500, 2), (488501, 3), (999999, 3), (1000000, None)],
)
def test_the_last_block_of_an_epoch_belongs_to_it(height: int, number: int | None) -> None:
    epoch = Params.mainnet().epoch(height)
    assert (epoch.number if epoch else None) == number


def test_the_constants_of_the_main_chain() -> None:
    params = Params.mainnet()
    assert params.network == MAINNET
    assert params.first_block == 373601
    assert params.genesis_consensus_hash == "17ac43c1d8549c3181b200f1bf97eb7d"
    assert (params.consensus_window, params.max_names_per_sender, params.import_keyring_size) == (24, 25, 300)
    assert (params.name_preorder_expire, params.namespace_preorder_expire) == (144, 144)
    assert (params.namespace_reveal_expire, params.name_cost_unit) == (52595, 100)
    assert params.announcers == ("judecn.id", "muneeb.id", "shea256.id")


@pytest.mark.parametrize(
    ("epoch", "multiplier", "grace", "price", "receive_fees", "features"),
    [
        (EPOCH_1, 1, 0, 1.0, 0, set()),
        (EPOCH_2, 2, 0, 1.0, 0, {Feature.MULTISIG}),
        (EPOCH_3, 2, 5000, 0.1, 52595, set(Feature)),
    ],
)
def test_the_rules_of_an_epoch(
    epoch: object, multiplier: int, grace: int, price: float, receive_fees: int, features: set[Feature]
) -> None:
    expected = (multiplier, grace, price, receive_fees)
    found = Params.mainnet().epochs[[EPOCH_1, EPOCH_2, EPOCH_3].index(epoch)]  # type: ignore[arg-type]
    given = (found.lifetime_multiplier, found.grace_period, found.price_multiplier, found.receive_fees_period)
    assert given == expected
    assert {feature for feature in Feature if found.has(feature)} == features


NAMESPACE_PRICES = [
    (1, 40_000_000_000),
    (2, 4_000_000_000),
    (3, 4_000_000_000),
    (4, 400_000_000),
    (7, 400_000_000),
    (8, 40_000_000),
    (19, 40_000_000),
]


@pytest.mark.parametrize(("length", "price"), NAMESPACE_PRICES)
def test_the_price_of_a_namespace(length: int, price: int) -> None:
    prices = [epoch.namespace_prices.of("a" * length) for epoch in Params.mainnet().epochs]
    assert prices == [price, price, price // 10]


@pytest.mark.parametrize(("length", "price"), NAMESPACE_PRICES)
def test_the_price_of_a_namespace_in_test_mode(length: int, price: int) -> None:
    prices = [epoch.namespace_prices.of("a" * length) for epoch in Params.regtest(first_block=100).epochs]
    price = 4_100_000_000 if length == 1 else price
    assert prices == [price, price, price // 10]


@pytest.mark.parametrize("namespace_id", ["", "a" * 20])
def test_other_lengths_have_no_price(namespace_id: str) -> None:
    with pytest.raises(InvalidInput, match="1 to 19 characters"):
        NamespacePrices(4, 3, 2, 1).of(namespace_id)


@pytest.mark.parametrize("epoch", [1, 2, 3])
@pytest.mark.parametrize("first_block", [2, 688, 373601])
def test_a_private_chain_is_in_one_epoch(epoch: int, first_block: int) -> None:
    params = Params.regtest(first_block=first_block, epoch=epoch)
    numbers = [found.number if found else None for found in map(params.epoch, (first_block, 10**6, 10**7))]
    assert numbers == [epoch] * 3
    assert params.network == TESTNET
    assert (params.import_keyring_size, params.namespace_reveal_expire) == (5, 144)


def test_a_private_chain_takes_other_changes() -> None:
    assert Params.regtest(first_block=100, max_names_per_sender=3).max_names_per_sender == 3


def test_there_are_three_epochs() -> None:
    with pytest.raises(InvalidInput, match="epoch: expected 1, 2 or 3, got 4"):
        Params.regtest(first_block=100, epoch=4)


# The reference's environment


def test_without_test_mode_only_the_network_can_be_chosen() -> None:
    overrides = {"BLOCKSTACK_EPOCH_1_END_BLOCK": "5", "BLOCKSTACK_TEST_FIRST_BLOCK": "7"}
    assert Params.from_reference_env({}) == Params.mainnet()
    assert Params.from_reference_env({"BLOCKSTACK_TEST": "", **overrides}) == Params.mainnet()
    assert Params.from_reference_env({"BLOCKSTACK_TESTNET": "1", **overrides}) == Params(network=TESTNET)


@pytest.mark.parametrize(
    ("env", "network"),
    [
        ({}, MAINNET),
        ({"BLOCKSTACK_TESTNET": "1"}, TESTNET),
        ({"BLOCKSTACK_TESTNET3": "1"}, TESTNET),
        ({"BLOCKSTACK_TESTNET": "0"}, MAINNET),
        ({"BLOCKSTACK_TESTNET": "true"}, MAINNET),
    ],
)
def test_the_network_follows_its_own_switch(env: dict[str, str], network: object) -> None:
    assert Params.from_reference_env({**TEST_MODE, **env}).network == network


@pytest.mark.parametrize(
    ("env", "first_block"),
    [
        ({}, 373601),
        ({"BLOCKSTACK_TEST_FIRST_BLOCK": "688"}, 688),
        ({"BLOCKSTACK_TESTNET_FIRST_BLOCK": "256"}, 256),
        ({"BLOCKSTACK_TEST_FIRST_BLOCK": "688", "BLOCKSTACK_TESTNET_FIRST_BLOCK": "256"}, 688),
        ({"BLOCKSTACK_TEST_FIRST_BLOCK": "", "BLOCKSTACK_TESTNET_FIRST_BLOCK": "256"}, 256),
    ],
)
def test_the_first_block_of_test_mode(env: dict[str, str], first_block: int) -> None:
    assert Params.from_reference_env({**TEST_MODE, **env}).first_block == first_block


def test_the_first_block_with_subdomains() -> None:
    assert Params.mainnet().first_subdomain_block == 478872
    assert Params.from_reference_env({SUBDOMAINS_VARIABLE: "7"}).first_subdomain_block == 478872
    assert Params.from_reference_env(TEST_MODE).first_subdomain_block == 256
    changed = Params.from_reference_env({**TEST_MODE, SUBDOMAINS_VARIABLE: "7"})
    assert changed.first_subdomain_block == 7
    assert Params.regtest(first_block=100).first_subdomain_block == 100
    assert changed == Params.from_reference_env(TEST_MODE)
    assert SUBDOMAINS_VARIABLE not in changed.to_reference_env()
    with pytest.raises(InvalidInput, match="first subdomain block: expected a height, got -1"):
        Params.regtest(first_block=100, first_subdomain_block=-1)


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ("BLOCKSTACK_NAMESPACE_REVEAL_EXPIRE", "namespace_reveal_expire"),
        ("BLOCKSTACK_TEST_NAMESPACE_PREORDER_EXPIRE", "namespace_preorder_expire"),
        ("BLOCKSTACK_TEST_NAME_PREORDER_EXPIRE", "name_preorder_expire"),
    ],
)
def test_periods_of_test_mode(variable: str, field: str) -> None:
    plain = Params.from_reference_env(TEST_MODE)
    params = Params.from_reference_env({**TEST_MODE, variable: "17"})
    changed = {entry.name for entry in fields(Params) if getattr(params, entry.name) != getattr(plain, entry.name)}
    assert getattr(params, field) == 17
    assert getattr(plain, field) == 144
    assert changed == {field}


def test_an_override_without_effect() -> None:
    env = {**TEST_MODE, "BLOCKSTACK_TEST_NAMESPACE_REVEAL_EXPIRE": "17"}
    assert Params.from_reference_env(env) == Params.from_reference_env(TEST_MODE)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("PRICE_MULTIPLIER", "0.25", "price_multiplier", 0.25),
        ("NAMESPACE_LIFETIME_MULTIPLIER", "7", "lifetime_multiplier", 7),
        ("NAMESPACE_LIFETIME_GRACE_PERIOD", "9", "grace_period", 9),
        ("NAMESPACE_RECEIVE_FEES_PERIOD", "11", "receive_fees_period", 11),
    ],
)
def test_constants_of_an_epoch(number: int, variable: str, text: str, field: str, value: float) -> None:
    plain = Params.from_reference_env(TEST_MODE)
    params = Params.from_reference_env({**TEST_MODE, f"BLOCKSTACK_EPOCH_{number}_{variable}": text})
    for epoch, before in zip(params.epochs, plain.epochs, strict=True):
        expected = value if epoch.number == number else getattr(before, field)
        assert getattr(epoch, field) == expected
        assert epoch.namespace_prices == before.namespace_prices


def test_ends_of_the_epochs() -> None:
    params = Params.from_reference_env(APPENDIX_A)
    assert [epoch.end for epoch in params.epochs] == [373602, 373603, 999999]
    params = Params.from_reference_env({**APPENDIX_A, "BLOCKSTACK_EPOCH_3_END_BLOCK": "-1"})
    last = params.epoch(10**9)
    assert last is not None
    assert last.number == 3


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"BLOCKSTACK_EPOCH_1_END_BLOCK": "ten"}, "BLOCKSTACK_EPOCH_1_END_BLOCK: expected an integer, got 'ten'"),
        ({"BLOCKSTACK_EPOCH_2_PRICE_MULTIPLIER": "much"}, "expected a number, got 'much'"),
        ({"BLOCKSTACK_TEST_FIRST_BLOCK": "0x10"}, "first block: expected an integer, got '0x10'"),
        ({"BLOCKSTACK_TEST_FIRST_BLOCK": "0"}, "first block: expected a height of at least 1, got 0"),
        ({"BLOCKSTACK_NAMESPACE_REVEAL_EXPIRE": "1.5"}, "BLOCKSTACK_NAMESPACE_REVEAL_EXPIRE: expected an integer"),
        ({"BLOCKSTACK_EPOCH_1_END_BLOCK": "488500"}, "epoch ends: expected two increasing heights"),
        ({"BLOCKSTACK_EPOCH_1_END_BLOCK": "-1"}, "epoch ends: expected two increasing heights"),
        ({"BLOCKSTACK_EPOCH_1_END_BLOCK": "-2"}, "epoch ends: expected two increasing heights"),
        ({"BLOCKSTACK_EPOCH_2_END_BLOCK": "-1"}, "epoch ends: expected two increasing heights"),
        ({"BLOCKSTACK_EPOCH_3_END_BLOCK": "488500"}, "end of epoch 3: expected a height above 488500, or none"),
    ],
)
def test_overrides_that_make_no_sense(env: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Params.from_reference_env({**TEST_MODE, **env})


@pytest.mark.parametrize(
    "params",
    [
        Params.from_reference_env(TEST_MODE),
        Params.from_reference_env(APPENDIX_A),
        Params.regtest(first_block=2),
        Params.regtest(first_block=688, epoch=1, namespace_reveal_expire=9),
        Params.regtest(first_block=688, epoch=2, name_preorder_expire=3, namespace_preorder_expire=4),
        Params.from_reference_env({**APPENDIX_A, "BLOCKSTACK_EPOCH_3_PRICE_MULTIPLIER": "0.30000000000000004"}),
    ],
)
def test_parameters_and_environment_say_the_same(params: Params) -> None:
    assert Params.from_reference_env(params.to_reference_env()) == params


@pytest.mark.parametrize(
    "params",
    [
        Params.mainnet(),
        Params.regtest(first_block=100, max_names_per_sender=3),
        Params.regtest(first_block=100, announcers=("alice.test",)),
    ],
)
def test_parameters_that_no_environment_can_express(params: Params) -> None:
    with pytest.raises(InvalidInput, match="the reference's test mode with its overrides"):
        params.to_reference_env()
