"""The released files: sdist and wheel as built, and the repository with its whole history."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from detect_secrets.core.scan import scan_line
from detect_secrets.settings import transient_settings

from sandbox import AUTH_TOKEN, MAIN_SID, Company, Server
from tap_twilio_usage.money.hierarchy import shipped
from tests.conftest import BUILT, PYTHONS, ROOT, VERSION, command_in

THIS_PYTHON = f"3.{sys.version_info.minor}"
OTHERS = [version for version in PYTHONS if version != THIS_PYTHON]
NAME = BUILT
DIST_INFO = f"{NAME}.dist-info"
WHERE = "import tap_twilio_usage; print(tap_twilio_usage.__file__)"

# The detectors of detect-secrets with a distinct pattern; its entropy detectors raise false alarms.
DETECTORS = (
    *("ArtifactoryDetector", "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector"),
    *("CloudantDetector", "DiscordBotTokenDetector", "GitHubTokenDetector", "GitLabTokenDetector"),
    *("IbmCloudIamDetector", "IbmCosHmacDetector", "JwtTokenDetector", "KeywordDetector"),
    *("MailchimpDetector", "NpmDetector", "OpenAIDetector", "PrivateKeyDetector"),
    *("PypiTokenDetector", "SendGridDetector", "SlackDetector", "SoftlayerDetector"),
    *("SquareOAuthDetector", "StripeDetector", "TelegramBotTokenDetector"),
)
# Twilio's Auth Tokens, secrets of API keys and SIDs: 32 hex digits, or letters and digits.
TOKEN = re.compile(r"(?<![0-9A-Za-z])(?:[A-Z]{2})?([0-9A-Za-z]{32})(?![0-9A-Za-z])")
# An invented value such as AC000...1 has fewer different characters than any random one.
FEWEST_DIFFERENT = 8
# The billing group IDs of the sandbox and the tests are shorter than Twilio's 26 characters.
BILLING_GROUP = re.compile(r"commerce_billingprofile_[0-9a-z]{20,}")
MADE_UP = {
    *("sandbox-api-key-secret", "sandbox-client-secret"),  # valid for the sandbox only
    *("key-secret", "another-one", "s3cret", "s3cret\\n", "secret", "wrong"),  # the tests'
    *("TWILIO_API_KEY", "TWILIO_API_SECRET", "client_secret"),  # names of settings
    *("PASSWORD", "SK...", "SK\N{HORIZONTAL ELLIPSIS}"),  # show the place of one
    "s3cret-canary-of-the-url",  # of a URL to notify
    *("SK", "not asked for"),  # words of a sentence and of an assertion
    *("canary+key/secret=7a1c&%7E", "canary+client/secret=3b9e&%7E", "pass"),  # searched for
    *("password", "canary-of-a-password", "p@s%41s"),  # of URLs of databases
    *("any", "postgres_password"),  # of the emulator of S3, and the name of a setting
    *("canary-of-the-proxy", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"),  # also
}
# Written so that this file does not contain them.
ELSEWHERE = re.compile(r"pypi[.]org|python[h]osted|/[r]oot/|/home/\w|/Users/\w")


def git(*arguments: str, given: bytes = b"") -> bytes:
    assert (ROOT / ".git").exists(), f"{ROOT} is no clone: its history cannot be searched"
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, input=given, capture_output=True, check=False
    )
    assert done.returncode == 0, f"git {arguments[0]}: {done.stderr.decode()}"
    return done.stdout


def tracked(folder: str = ".") -> list[str]:
    return git("ls-tree", "-r", "--name-only", "HEAD", folder).decode().splitlines()


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    text = zipfile.ZipFile(wheel).read(f"{DIST_INFO}/METADATA").decode()
    return Parser().parsestr(text)


def test_the_wheel_contains_exactly_the_package_and_its_data(wheel: Path) -> None:
    package = set(tracked("tap_twilio_usage"))
    assert {"tap_twilio_usage/data/categories.csv", "tap_twilio_usage/py.typed"} <= package
    names = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    expected = {*package, *(f"{DIST_INFO}/{name}" for name in names)}
    assert sorted(zipfile.ZipFile(wheel).namelist()) == sorted(expected)


def test_the_wheel_requires_what_it_imports_and_no_more(metadata: Message) -> None:
    asked = metadata.get_all("Requires-Dist", [])
    needed = [requirement for requirement in asked if "extra ==" not in requirement]
    names = sorted(re.split(r"[^\w-]", requirement)[0] for requirement in needed)
    assert names == [
        *("click", "jsonschema", "msgspec", "python-backoff", "python-dotenv", "requests"),
        *("singer-sdk", "typing-extensions", "urllib3"),
    ]
    assert metadata.get_all("Provides-Extra") == ["alerts", "dlt", "parquet", "report"]


def test_the_sdist_contains_exactly_the_committed_files(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.removeprefix(f"{NAME}/") for name in archive.getnames()}
    assert names == {*tracked(), "PKG-INFO"}


def interpreter(version: str) -> str:
    """Return a Python of that version, on PATH or from pyenv; skip the test if there is none."""
    if version == THIS_PYTHON:
        return sys.executable
    by_pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_path = shutil.which(f"python{version}")
    for found in filter(None, [on_path, *map(str, by_pyenv.glob(f"{version}.*/bin/python"))]):
        # pyenv puts commands on PATH that only report that the version is not active.
        if subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
            return found
    pytest.skip(f"no Python {version} is at hand")


@pytest.mark.parametrize(
    ("form", "python"),
    [
        ("wheel", THIS_PYTHON),
        *(pytest.param("wheel", version, marks=pytest.mark.nightly) for version in OTHERS),
        pytest.param("sdist", THIS_PYTHON, marks=pytest.mark.nightly),
    ],
)
def test_the_built_package_runs_alone_and_reconciles(
    form: str, python: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Installed alone, it has its data, its command and its requirements, and is not this clone."""
    built: Path = request.getfixturevalue(form)
    uv = [sys.executable, "-m", "uv"]
    empty, installed = tmp_path / "empty", tmp_path / "empty" / "bin"
    create = [*uv, "venv", "-q", "--no-config", "--python", interpreter(python), str(empty)]
    subprocess.run(create, check=True)
    into = ["--no-config", "--python", str(installed / "python"), str(built)]
    subprocess.run([*uv, "pip", "install", "-q", *into], check=True, cwd=tmp_path)
    where = subprocess.check_output([installed / "python", "-c", WHERE], text=True, cwd=tmp_path)
    assert Path(where).is_relative_to(empty / "lib" / f"python{python}")

    run = command_in(tmp_path, installed / "tap-twilio-usage")
    assert run(None, "--version").out.startswith(f"tap-twilio-usage v{VERSION},")
    about = run(None, "--about", "--format=json").catalog
    assert (about["name"], about["version"]) == ("tap-twilio-usage", VERSION)
    streams = {s["tap_stream_id"] for s in run(None, "--discover").catalog["streams"]}
    assert {"usage_records_daily", "categories"} <= streams

    company, first, last = Company(today=date(2025, 9, 20)), date(2025, 9, 14), date(2025, 9, 16)
    settings = {"account_sid": MAIN_SID, "auth_token": AUTH_TOKEN}
    with Server(company) as server:
        days = {"start_date": f"{first}", "end_date": f"{last}"}
        sync = run({**settings, **days, "api_url": server.url})
    assert sync.code == 0, sync.log
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in sync.records():
        sums[row["start_date"]] += row["deduplicated_price"]
    every_day = (date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1))
    assert sums == {f"{day}": company.total(day) for day in every_day}
    assert len(sync.records("categories")) >= len(shipped().categories)


def history(commits: str) -> Iterator[tuple[str, str]]:
    """Return each line of the new files and messages of the commits once, with its place."""
    assert git("rev-parse", "--is-shallow-repository").strip() == b"false", "the clone is shallow"
    objects = git("rev-list", "--objects", commits).decode().splitlines()
    where = dict(line.partition(" ")[::2] for line in objects)
    contents = io.BytesIO(git("cat-file", "--batch", given="\n".join(where).encode()))
    seen: set[str] = set()
    while header := contents.readline().decode().split():
        name, kind, size = header
        text = contents.read(int(size) + 1).decode("utf-8", "replace")
        if kind != "tree":
            for line in set(text.splitlines()) - seen:
                seen.add(line)
                yield f"{name[:9]} {where[name] or kind}", line


CHECKSUM = re.compile(r'"(?:before|upto)": "[0-9a-f]{32}"')  # in tests/states


def credentials(line: str) -> Iterator[str]:
    """Return the kinds of credentials in the line, without the values, which CI would log."""
    for found in scan_line(line):
        if (found.secret_value or "").strip() not in MADE_UP:
            yield found.type
    for token in TOKEN.findall(CHECKSUM.sub("", line)):
        if (
            token not in MADE_UP
            and re.search("[0-9]", token)
            and len(set(token)) >= FEWEST_DIFFERENT
        ):
            yield "32 digits or letters"
    if BILLING_GROUP.search(line):
        yield "billing group"


@pytest.mark.parametrize(
    "commits", ["HEAD~10..HEAD", pytest.param("HEAD", marks=pytest.mark.nightly)]
)
def test_no_credential_is_in_the_history(commits: str) -> None:
    with transient_settings({"plugins_used": [{"name": name} for name in DETECTORS]}):
        found = [(where, kind) for where, line in history(commits) for kind in credentials(line)]
    assert not found


HEX = hashlib.md5(b"nobody").hexdigest()


@pytest.mark.parametrize(
    "line",
    [
        "TWILIO_AUTH_TOKEN=" + HEX,
        "AC" + HEX,
        "SK" + HEX,
        "TWILIO_API_SECRET=" + "q7Zt" * 2 + "LmX9vBw3" * 3,
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "postgresql://me:" + "hunter2@warehouse/db",
        "commerce_billingprofile_" + HEX[:26],
        'password = "' + 'correct-horse"',
    ],
)
def test_a_credential_would_be_found(line: str) -> None:
    with transient_settings({"plugins_used": [{"name": name} for name in DETECTORS]}):
        assert list(credentials(line))


def test_no_lock_file_no_registry_and_no_home_folder_is_committed() -> None:
    names = tracked()
    assert not {name for name in names if name.endswith((".lock", ".env"))}
    texts = {name: git("show", f"HEAD:{name}").decode("utf-8", "replace") for name in names}
    assert not {name for name, text in texts.items() if ELSEWHERE.search(text)}
