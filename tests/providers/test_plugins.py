"""Adapters by name: found, refused or told of as broken, and never in each other's way."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from payport import AsyncPayport, Payport
from payport.domain.errors import ConfigurationError
from payport.providers.plugins import API, plugin_named, plugins
from payport.testing import AsyncFakeProvider, FakeProvider

_GOOD = """
from dataclasses import replace
from payport.providers.plugins import Plugin
from payport.testing.fake.plugin import PLUGIN as FAKE

PLUGIN = replace(FAKE, spec=replace(FAKE.spec, name={name!r}))
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package that offers an adapter: its metadata, and its only module."""

    def installed(package: str, name: str, code: str = _GOOD, value: str = "PLUGIN") -> None:
        place = tmp_path / package
        module = f"{package}_module"
        metadata = place / f"{package}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
        points = f"[payport.providers]\n{name} = {module}:{value}\n"
        (metadata / "entry_points.txt").write_text(points)
        (place / f"{module}.py").write_text(code.format(name=name) if code is _GOOD else code)
        monkeypatch.syspath_prepend(str(place))
        monkeypatch.delitem(sys.modules, module, raising=False)

    return installed


def reasons() -> dict[str, str]:
    return {f"{one.package} {one.name}": one.why for one in plugins()[1]}


def test_an_installed_package_s_adapter_is_found(install: Install) -> None:
    install("payport_pear", "pear")

    assert plugin_named("pear").spec.name == "pear"
    assert "pear" in plugins()[0]
    assert reasons() == {}


def test_a_client_is_made_by_an_adapter_s_name(install: Install) -> None:
    install("payport_plum", "plum")

    with Payport("plum") as pay:
        assert isinstance(pay.provider, FakeProvider)
    assert isinstance(AsyncPayport("plum").provider, AsyncFakeProvider)


def test_a_client_of_a_name_that_nobody_offers_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Payport: .*offers an adapter 'nobody'"):
        Payport("nobody", scope="shop")


def test_an_adapter_without_an_awaited_provider_is_refused_awaited(install: Install) -> None:
    code = _GOOD.format(name="fig") + "\nPLUGIN = replace(PLUGIN, from_env_async=None)\n"
    install("payport_fig", "fig", code)

    assert isinstance(Payport("fig").provider, FakeProvider)
    with pytest.raises(ConfigurationError, match="use Payport"):
        AsyncPayport("fig")


@pytest.mark.parametrize(
    ("code", "value", "why"),
    [
        ("import no_such_module", "PLUGIN", "no_such_module"),
        ("1 / 0", "PLUGIN", "ZeroDivisionError"),
        ("raise SystemExit('goodbye')", "PLUGIN", "SystemExit: goodbye"),
        ("def (", "PLUGIN", "SyntaxError"),
        ("PLUGIN = object()", "PLUGIN", "is no payport.providers.plugins.Plugin"),
        ("", "MISSING", "AttributeError"),
        (
            _GOOD.format(name="apple") + "PLUGIN = replace(PLUGIN, api=99)",
            "PLUGIN",
            f"written for version 99 of payport's API for adapters, and this is version {API}",
        ),
        (_GOOD.format(name="apple") + "PLUGIN = replace(PLUGIN, spec='?')", "PLUGIN", "a str and"),
        (_GOOD.format(name="apple") + "PLUGIN = replace(PLUGIN, from_env=7)", "PLUGIN", "from_env"),
        (_GOOD.format(name="pear"), "PLUGIN", "name both alike"),
    ],
)
def test_a_broken_plugin_is_told_of_with_its_reason_and_hides_no_other(
    install: Install, caplog: pytest.LogCaptureFixture, code: str, value: str, why: str
) -> None:
    install("payport_apple", "apple", code, value)
    install("payport_melon", "melon")

    with caplog.at_level(logging.WARNING, logger="payport.providers"):
        found, broken = plugins()

    assert {"melon", "fake", "stripe"} <= set(found)
    assert "apple" not in found
    assert [(one.name, one.package) for one in broken] == [("apple", "payport_apple")]
    assert why in broken[0].why
    assert why in caplog.text
    with pytest.raises(ConfigurationError, match="'apple' cannot be used"):
        plugin_named("apple")


def test_of_two_plugins_with_one_name_neither_is_used(install: Install) -> None:
    install("payport_cherry", "cherry")
    install("cherry_for_payport", "cherry")

    found, broken = plugins()

    assert "cherry" not in found
    assert {one.package for one in broken} == {"payport_cherry", "cherry_for_payport"}
    assert all("payport_cherry" in one.why for one in broken)
    with pytest.raises(ConfigurationError, match="Uninstall all but one"):
        plugin_named("cherry")


def test_nobody_takes_the_name_of_an_adapter_of_payport_s(install: Install) -> None:
    install("other_stripe", "stripe")

    found, broken = plugins()

    assert found["stripe"] is plugin_named("stripe")
    assert found["stripe"].from_env.__module__ == "payport.providers.stripe.provider"
    assert [(one.name, one.package) for one in broken] == [("stripe", "other_stripe")]


def test_a_package_that_is_on_the_path_twice_offers_its_adapter_once(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("payport_grape", "grape")
    monkeypatch.syspath_prepend(str(tmp_path / "payport_grape"))

    assert "grape" in plugins()[0]
    assert reasons() == {}
