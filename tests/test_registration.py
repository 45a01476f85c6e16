"""Claims registered before the scores exist, and what their verdicts say of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import gainlaw as gl
from conftest import Cli, write_effects
from gainlaw.claims.registration import register, registrations, registry_path
from gainlaw.tables.verdicts import claims_table

CLAIMS = '[[claim]]\nname = "shrinks"\nclaim = "slope < 0"\n'


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, gl.Fit]:
    """A table of effects, written at a known time, and its fit."""
    path = write_effects(tmp_path_factory.mktemp("registered") / "effects.csv")
    os.utime(path, (2_000_000_000, 2_000_000_000))
    return path, gl.fit(gl.read_gains(path), draws=250)


def said(fit: gl.Fit, claims: Path) -> str:
    """Return what the verdicts, and the note of their table, say of the registration."""
    verdicts = gl.assess_file(fit, claims)
    (words,) = set(verdicts.frame["registered"])
    assert any(words in note for note in claims_table(verdicts).notes)
    return str(words)


def test_verdicts_say_how_the_claims_stand(tmp_path: Path, fitted: tuple[Path, gl.Fit]) -> None:
    source, fit = fitted
    claims = tmp_path / "claims.toml"
    claims.write_text(CLAIMS)
    assert said(fit, claims) == "not registered"
    first, new = register(claims)
    assert new
    assert register(claims) == (first, False)
    # The scores are of 2033.
    assert "before the file of scores was written (2033-05-18" in said(fit, claims)
    os.utime(source, (1_000_000_000, 1_000_000_000))
    assert "after the file of scores was written (2001-09-09" in said(fit, claims)
    os.utime(source, (2_000_000_000, 2_000_000_000))
    claims.write_text(CLAIMS.replace("< 0", "< 1"))
    assert said(fit, claims) == f"changed after they were registered ({first.when})"
    second, new = register(claims)
    assert new
    assert registrations(claims) == (first, second)
    assert said(fit, claims).startswith(
        f"changed after the first registration ({first.when}), then registered"
    )
    # The claims as they were first are what was registered first.
    claims.write_text(CLAIMS)
    assert said(fit, claims).startswith("registered")


def test_how_old_data_are_is_not_guessed(tmp_path: Path, fitted: tuple[Path, gl.Fit]) -> None:
    source, fit = fitted
    claims = tmp_path / "claims.toml"
    claims.write_text(CLAIMS)
    register(claims)
    content = source.read_bytes()
    source.write_bytes(content + b"\n")
    try:
        assert "not known" in said(fit, claims)
    finally:
        source.write_bytes(content)
        os.utime(source, (2_000_000_000, 2_000_000_000))


def test_a_claim_of_no_file_says_nothing(fitted: tuple[Path, gl.Fit]) -> None:
    verdict = gl.assess(fitted[1], "slope < 0")
    assert verdict.registered == ""
    assert not any("registered" in note for note in claims_table([verdict]).notes)


def test_the_command(tmp_path: Path, cli: Cli) -> None:
    claims = tmp_path / "claims.toml"
    claims.write_text(CLAIMS)
    done = cli("register", claims)
    assert done.code == 0
    assert "1 claim registered" in done.out
    record = json.loads(registry_path(claims).read_text())["registrations"]
    assert set(record[0]) == {"sha256", "time", "claims", "gainlaw", "python", "git"}
    assert "registered before, and unchanged" in cli("register", claims).out
    claims.write_text("[[claim]]\nname = 3\n")
    assert cli("register", claims).code == 2
    assert len(json.loads(registry_path(claims).read_text())["registrations"]) == 1


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"version": 1, "registrations": [{"sha256": 1}]}', '{"version": 2, "registrations": []}'],
)
def test_damaged_registrations_are_refused(tmp_path: Path, cli: Cli, text: str) -> None:
    claims = tmp_path / "claims.toml"
    claims.write_text(CLAIMS)
    registry_path(claims).write_text(text)
    done = cli("register", claims)
    assert done.code == 2
    assert "damaged" in done.err
    assert registry_path(claims).read_text() == text
