"""The program as a whole: usage, help, environment, and errors that nobody foresaw."""

import subprocess
import sys

import attrs
import pytest

from trio_torrent import Address, Settings, __version__
from trio_torrent.cli import follow, info
from trio_torrent.cli.commands import commands
from trio_torrent.cli.exits import Exit
from trio_torrent.cli.options import user_state_folder
from trio_torrent.cli.wishes import Data, Network, SeedLimits

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
        (["dht", "frobnicate"], "No such command 'frobnicate'"),
        (["get", "x", "--port", "65536"], "'65536' is not a port: write a number from 0 to 65535"),
        (["get", "x", "--port", "http"], "'http' is not a port"),
        (["get", "x", "--max-peers", "0"], "0 is not in the range"),
        (["get", "x", "--threads", "-1"], "-1 is not in the range"),
        (["get", "x", "--upload-slots", "few"], "'few' is not a valid integer"),
        (["get", "x", "--seed-ratio", "nan"], "'nan' is not a ratio"),
        (["get", "x", "--seed-time", "-5"], "'-5' is not a duration"),
        (["get", "x", "--interface", "nowhere0"], "'nowhere0' is not an IP address of this machine"),
        (["get", "x", "--peer", "a:b:c"], "write an IPv6 address as [ADDRESS]:PORT"),
        (["get", "x", "--peer", "127.0.0.1:99999"], "99999"),
        (["get", "x", "--allocate", "some"], "'some' is not one of"),
        (["get", "x", "--on-done", "say 'it"], "is not a command: no closing quotation"),
        (["get", "x", "--on-done", " "], "' ' is not a command"),
        (["get", "x", "-o", __file__], "is a file"),
        (["get", "x", "--save-torrent", "/"], "'/' is a directory"),
        (["get", "x", "y", "--save-torrent", "z"], "--save-torrent is for one SOURCE"),
        (["get", ""], "a SOURCE is empty"),
        (["get", "x", "--port"], "requires an argument"),
        (["seed", "x", "--limit-down", "1 MB"], "'1 MB' is not a rate"),
        (["seed", "x", "y"], "Got unexpected extra argument (y)"),
        (["seed", "x", "-d", __file__], "is a file"),
        (["info", "x", "--wait", "long"], "'long' is not a duration"),
        (["create", "/no/such"], "'/no/such' does not exist"),
        (["create", "/dev", "-t", "example.org"], "does not begin with http://"),
        (["create", "/dev", "-w", "udp://x:1"], "does not begin with http://"),
        (["create", "/dev", "-l", "17K"], "'17K' is not a piece length"),
        (["create", "/dev", "--v1", "--v2"], "exclude one another"),
        (["verify", "x", "-d", "no\x1b[2Jsuch"], "does not exist"),
        (["demo", "--size", "1T"], "'1T' is not a size"),
        (["probe", "x", "--piece", "-1"], "-1 is not in the range"),
        (["probe", "x", "--sample", "/no/such"], "'/no/such' does not exist"),
        (["dht", "get", "xyz"], "'xyz' is not a target: 40 hex digits"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
    ],
)
def test_usage_errors_are_one_line(arguments, complaint, capsys):
    assert exit_of(*arguments) == 2
    (line,) = complaints(capsys)
    assert line.startswith("trio-torrent: ")
    assert complaint in line
    assert line.isprintable()


@pytest.mark.parametrize("command", ["get", "seed", "info", "magnet", "verify", "probe"])
@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("nowhere.torrent", "nowhere.torrent: No such file or directory"),
        ("/", "/: Is a directory"),
        ("/dev/null", "/dev/null: is empty, and no torrent"),
        ("/proc/self/mem", "/proc/self/mem: Input/output error"),
        (f"{ROOT}/pyproject.toml", "not a torrent"),
        ("magnet:?xt=urn:btih:zz", "'zz' is not an info-hash"),
        ("magnet:?dn=x", "it has no info-hash"),
        ("magnet:", "not a magnet link"),
        ("http://", "http://: "),
        ("http://127.0.0.1:1/x", "Connection refused"),
        ("https://[::1/x", "https://[::1/x: "),
        ("ftp://files.example/x.torrent", "a torrent is fetched by http or https, and from nowhere else"),
        ("no\x1b[2Jsuch\u202e", "no\ufffd[2Jsuch\ufffd: No such file or directory"),
        ("x" * 5000, "File name too long"),
    ],
)
def test_sources_that_are_none(command, source, complaint, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = ["--no-dht", "--port", "0", "--interface", "127.0.0.1"] if command in ("get", "seed") else []
    assert exit_of(command, source, *network) == 3
    *_, line = complaints(capsys)
    assert line.startswith("trio-torrent: ")
    assert complaint in line
    assert line.isprintable()


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
        "GET_OUTPUT": str(tmp_path),
        "SELECT": "*.srt 'Season 1/*' a\\ b",
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
    assert orders.data.select == ("*.srt", "Season 1/*", "a b")


def test_words_in_the_environment_that_are_none(monkeypatch, capsys):
    monkeypatch.setenv("TRIO_TORRENT_SELECT", "'Season 1")
    assert exit_of("get", "x") == 2
    assert '(from TRIO_TORRENT_SELECT): "\'Season 1": no closing quotation' in capsys.readouterr().err


@pytest.mark.parametrize("command", ["get", "seed"])
def test_limits(command, asked):
    assert exit_of(command, "x", "--limit-down", "1.5M", "--limit-up", "20K", "--max-peers", "3") == 0
    ((_, orders),) = asked
    settings = orders.network.settings()
    assert (settings.limit_down, settings.limit_up, settings.connections) == (1_572_864, 20_480, 3)


def test_all_of_the_network_is_asked_for(asked):
    flags = ["--no-trackers", "--no-dht", "--no-lsd", "--no-pex", "--no-web-seeds", "--allow-local", "--strict-tiers"]
    counts = ["--max-peers", "3", "--max-peers-in-all", "4", "--upload-slots", "5", "--threads", "6"]
    assert exit_of("get", "x", *flags, *counts) == 0
    ((_, orders),) = asked
    settings = orders.network.settings()
    found = (settings.trackers, settings.dht, settings.lsd, settings.pex, settings.web_seeds)
    assert found == (False, False, False, False, False)
    assert (settings.allow_local, settings.strict_tiers) == (True, True)
    figures = (settings.connections, settings.connections_in_all, settings.upload_slots, settings.threads)
    assert figures == (3, 4, 5, 6)


def test_many_peers_of_one_torrent_are_many_in_all():
    assert Network(max_peers=300).settings().connections_in_all == 300
    assert Network(max_peers=300, max_peers_in_all=7).settings().connections_in_all == 7


def test_what_can_be_set_can_be_asked_for():
    """Each setting has its option; those that have none are nobody's business."""
    elsewhere = {"superseed", "allocation", "state_folder"}  # of `seed`, and of the data
    names = {field.name for field in attrs.fields(Network)}
    renamed = {"connections": "max_peers", "connections_in_all": "max_peers_in_all"}
    missing = {field.name for field in attrs.fields(Settings)} - elsewhere
    assert {name for name in missing if renamed.get(name, name) not in names} == {"stop_seconds", "user_agent"}
    usual = attrs.evolve(Network().settings(), state_folder=None, stop_seconds=Settings().stop_seconds)
    assert usual == Settings()


def test_the_data_is_asked_for(asked, tmp_path):
    words = ["-s", "1", "--select", "*.iso", "--sequential", "--force", "--check", "--allocate", "full"]
    assert exit_of("get", "x", *words, "--state", tmp_path) == 0
    ((_, orders),) = asked
    assert orders.data == Data(
        select=("1", "*.iso"),
        sequential=True,
        overwrite=True,
        trust_record=False,
        allocation="full",
        state_folder=tmp_path,
    )


def test_what_is_done_at_the_end_is_asked_for(asked, monkeypatch):
    monkeypatch.setenv("TRIO_TORRENT_ON_DONE", "notify-send 'it is there'")
    assert exit_of("get", "x") == 0
    ((_, orders),) = asked
    assert orders.on_done == ("notify-send", "it is there")


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
heavy = {{"trio", "httpx", "h11", "ssl", "rich", "fastbencode", "cryptography", "platformdirs"}}
heavy |= {{"attrs", "attr", "logging", "asyncio", "pathlib", "socket", "json", "click.shell_completion"}}
sys.exit(",".join(heavy & set(sys.modules)) or None)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False, env={"PATH": ""}
    )
    assert done.returncode == 0, done.stderr


def test_the_commands_are_those_that_work():
    assert sorted(commands.commands) == [
        "completion",
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
