"""The program as a whole: usage, help, environment, and errors that nobody foresaw."""

import subprocess
import sys

import pytest

from trio_torrent import Address, Settings, __version__
from trio_torrent.cli import app, follow, info
from trio_torrent.cli.exits import Exit
from trio_torrent.cli.options import Network, SeedLimits, user_state_folder

from .running import ROOT, exit_of


def complaints(capsys) -> list[str]:
    output, errors = capsys.readouterr()
    assert output == ""
    return str(errors).splitlines()


def test_the_version(capsys):
    assert exit_of("--version") == 0
    assert capsys.readouterr().out == f"trio-torrent {__version__}\n"


def test_alone_it_shows_its_help(capsys):
    assert exit_of() == 2
    assert "Commands:" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["get", "seed", "probe", "info", "create", "verify", "demo"])
def test_every_command_has_help(command, capsys):
    assert exit_of(command, "--help") == 0
    assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["get"], "Missing argument 'SOURCE...'"),
        (["get", "x", "--nonsense"], "No such option"),
        (["get", "x", "--limit-down", "fast"], "'fast' is not a rate"),
        (["seed", "x", "--limit-up", "0.1"], "'0.1' is not a rate"),
        (["probe", "x", "--limit-down", "1M"], "No such option"),
        (["get", "x", "--stall-timeout", "soon"], "'soon' is not a duration"),
        (["get", "x", "--peer", "nobody"], "'nobody' is not HOST:PORT"),
        (["get", "-", "-"], "stdin (-) can be read only once"),
        (["seed", "x", "-d", "/nowhere"], "'/nowhere' does not exist"),
        (["demo", "--size", "0"], "'0' is not a size"),
        (["probe", "x", "--length", "16385"], "16385 is not in the range"),
        (["frobnicate"], "No such command 'frobnicate'"),
    ],
)
def test_usage_errors_are_one_line(arguments, complaint, capsys):
    assert exit_of(*arguments) == 2
    (line,) = complaints(capsys)
    assert line.startswith("trio-torrent: ")
    assert complaint in line


@pytest.fixture
def asked(monkeypatch):
    """What `follow` is asked to do."""
    seen = []

    async def fake(sources, orders, voice, interrupt):
        seen.append((sources, orders))
        return Exit.DONE

    monkeypatch.setattr(follow, "follow", fake)
    return seen


def test_options_can_come_from_the_environment(asked, monkeypatch, tmp_path):
    for name, value in {
        "PORT": "0",
        "PEER": "127.0.0.1:1 [::1]:2",
        "NO_TRACKERS": "1",
        "NO_DHT": "1",
        "DHT_ROUTER": "router.example:6881",
        "MAX_PEERS": "7",
        "LIMIT_DOWN": "2M",
        "LIMIT_UP": "0",
        "PROXY": "socks5://127.0.0.1:1080",
        "SEED_TIME": "2m",
        "STALL_TIMEOUT": "1h",
        "OUTPUT": str(tmp_path),
    }.items():
        monkeypatch.setenv(f"TRIO_TORRENT_{name}", value)
    assert exit_of("get", "x") == 0
    ((sources, orders),) = asked
    assert sources == ("x",)
    assert orders.network.port == 0
    assert [str(peer) for peer in orders.network.peers] == ["127.0.0.1:1", "[::1]:2"]
    assert not orders.network.settings().trackers
    assert not orders.network.settings().dht
    assert orders.network.settings().dht_routers == (Address("router.example", 6881),)
    assert orders.network.settings().connections == 7
    assert (orders.network.settings().limit_down, orders.network.settings().limit_up) == (2 << 20, None)
    assert orders.network.settings().proxy == "socks5://127.0.0.1:1080"
    assert orders.limits == SeedLimits(seconds=120.0)
    assert (orders.stall_seconds, orders.folder) == (3600.0, tmp_path)


@pytest.mark.parametrize("command", ["get", "seed"])
def test_limits(command, asked):
    assert exit_of(command, "x", "--limit-down", "1.5M", "--limit-up", "20K", "--max-peers", "3") == 0
    ((_, orders),) = asked
    settings = orders.network.settings()
    assert (settings.limit_down, settings.limit_up, settings.connections) == (1_572_864, 20_480, 3)


def test_defaults(asked):
    assert exit_of("seed", "x") == 0
    ((_, orders),) = asked
    assert (orders.seed, orders.superseed) == (True, False)
    assert orders.network == Network()
    assert orders.network.settings().dht
    assert orders.network.settings().dht_routers == Settings().dht_routers
    assert orders.network.settings().state_folder == user_state_folder()
    assert not orders.limits


def test_superseeding_is_asked_for(asked):
    assert exit_of("seed", "x", "--superseed") == 0
    ((_, orders),) = asked
    assert orders.superseed


def test_a_bug_is_one_line_that_says_so(monkeypatch, capsys):
    async def broken(*arguments, **named):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(info, "info", broken)
    assert exit_of("info", "x") == 1
    (line,) = complaints(capsys)
    assert line.startswith("trio-torrent: this is a bug in trio-torrent: ZeroDivisionError: division by zero")
    assert exit_of("--debug", "info", "x") == 1
    assert any("Traceback" in line for line in complaints(capsys))
    monkeypatch.setenv("TRIO_TORRENT_DEBUG", "1")
    assert exit_of("info", "x") == 1
    assert any("Traceback" in line for line in complaints(capsys))


def test_several_errors_are_all_told(monkeypatch, capsys):
    async def broken(*arguments, **named):
        raise ExceptionGroup("", [OSError(28, "No space left on device"), ExceptionGroup("", [ValueError("x")])])

    monkeypatch.setattr(info, "info", broken)
    assert exit_of("info", "x") == 1
    assert len(complaints(capsys)) == 2


def test_seeding_ends_at_the_first_limit():
    assert SeedLimits(ratio=1.5).reached(uploaded=15, size=10, seconds=0)
    assert not SeedLimits(ratio=1.5).reached(uploaded=14, size=10, seconds=10**9)
    assert SeedLimits(ratio=9, seconds=5).reached(uploaded=0, size=10, seconds=5)
    assert not SeedLimits().reached(uploaded=10**9, size=1, seconds=10**9)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["get", "--help"], ["get", "--port", "x"]])
def test_help_waits_for_nothing_heavy(arguments):
    code = f"""
import sys
from trio_torrent.cli import main
try:
    main({arguments!r})
except SystemExit:
    pass
heavy = {{"trio", "httpx", "h11", "ssl", "rich", "rich.progress", "fastbencode", "cryptography", "platformdirs"}}
sys.exit(",".join(heavy & set(sys.modules)) or None)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False, env={"PATH": ""}
    )
    assert done.returncode == 0, done.stderr


def test_the_commands_are_those_that_work():
    assert sorted(app.commands.commands) == [
        "create",
        "demo",
        "dht",
        "get",
        "info",
        "magnet",
        "probe",
        "seed",
        "verify",
    ]


@pytest.mark.parametrize("command", ["get", "seed", "probe", "info", "magnet", "verify"])
def test_whatever_fetches_a_torrent_fetches_it_through_the_proxy(command, monkeypatch, capsys):
    """No such proxy is there, so none of them gets anything."""
    monkeypatch.setenv("TRIO_TORRENT_PROXY", "http://127.0.0.1:1")
    assert exit_of(command, "http://files.example/x.torrent") == 3
    assert "the proxy 127.0.0.1: Connection refused" in capsys.readouterr().err


def test_a_proxy_that_is_none_is_a_matter_of_usage(capsys):
    assert exit_of("get", "--proxy", "ftp://x", "y") == 2
    assert "proxy must be http://HOST:PORT or socks5://HOST:PORT" in capsys.readouterr().err
