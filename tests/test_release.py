"""What is handed out: the wheel, and the repository with its whole history."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from detect_secrets.core.scan import scan_line
from detect_secrets.settings import transient_settings

from tests.conftest import ROOT, clean_environment

DIST_INFO = "tap_twilio_usage-0.1.0.dist-info"
SMOKE = """
import tap_twilio_usage
from tap_twilio_usage.hierarchy import shipped
print(tap_twilio_usage.__file__, shipped().parent("sms-outbound"))
"""

# Of detect-secrets, what has a shape of its own; its search for high entropy cries wolf.
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
# Fewer different characters than in any drawn by chance, as in AC000...1: made up.
FEWEST_DIFFERENT = 8
# Those of the sandbox and the tests are shorter than Twilio's, which end in 26 characters.
BILLING_GROUP = re.compile(r"commerce_billingprofile_[0-9a-z]{20,}")
MADE_UP = {
    *("sandbox-api-key-secret", "sandbox-client-secret"),  # open nothing but the sandbox
    *("key-secret", "another-one", "s3cret", "s3cret\\n", "secret", "wrong"),  # the tests'
    *("TWILIO_API_KEY", "TWILIO_API_SECRET", "client_secret"),  # names of settings
    "PASSWORD",  # of a URL that shows where it stands
    *("SK", "not asked for"),  # words of a sentence and of an assertion
    *("canary+key/secret=7a1c&%7E", "canary+client/secret=3b9e&%7E", "pass"),  # to be looked for
}
# Written so that this file does not name them.
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
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of what is committed."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    with tarfile.open(fileobj=io.BytesIO(git("archive", "HEAD"))) as archive:
        archive.extractall(tree, filter="data")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=tree, check=True)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    text = zipfile.ZipFile(wheel).read(f"{DIST_INFO}/METADATA").decode()
    return Parser().parsestr(text)


def test_the_wheel_holds_the_package_with_its_data_and_nothing_else(wheel: Path) -> None:
    package = set(tracked("tap_twilio_usage"))
    assert {"tap_twilio_usage/data/categories.csv", "tap_twilio_usage/py.typed"} <= package
    names = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    expected = {*package, *(f"{DIST_INFO}/{name}" for name in names)}
    assert sorted(zipfile.ZipFile(wheel).namelist()) == sorted(expected)


def test_the_wheel_asks_for_three_packages(metadata: Message) -> None:
    asked = metadata.get_all("Requires-Dist", [])
    needed = [requirement for requirement in asked if "extra ==" not in requirement]
    names = sorted(re.split(r"[^\w-]", requirement)[0] for requirement in needed)
    assert names == ["python-backoff", "requests", "singer-sdk"]
    assert metadata.get_all("Provides-Extra") == ["report"]


def test_the_wheel_runs_by_itself(wheel: Path, tmp_path: Path) -> None:
    """What is installed from it finds its data and its command, and is not this clone."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(tmp_path), str(wheel)], check=True)

    def run(*command: str) -> str:
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={**clean_environment(), "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    where, parent = run(sys.executable, "-c", SMOKE).split()
    assert Path(where).is_relative_to(tmp_path)
    assert parent == "sms"
    about = json.loads(run(str(tmp_path / "bin" / "tap-twilio-usage"), "--about", "--format=json"))
    assert about["name"] == "tap-twilio-usage"
    assert about["version"] == "0.1.0"


def history() -> Iterator[tuple[str, str]]:
    """Give every line of every file and message of every commit once, and where it stands."""
    assert git("rev-parse", "--is-shallow-repository").strip() == b"false", "the clone is shallow"
    objects = git("rev-list", "--objects", "--all", "HEAD").decode().splitlines()
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


def credentials(line: str) -> Iterator[str]:
    """Give the kinds of credentials in the line; not the values, which would be in CI's log."""
    for found in scan_line(line):
        if (found.secret_value or "").strip() not in MADE_UP:
            yield found.type
    for token in TOKEN.findall(line):
        if re.search("[0-9]", token) and len(set(token)) >= FEWEST_DIFFERENT:
            yield "32 digits or letters"
    if BILLING_GROUP.search(line):
        yield "billing group"


def test_no_credential_is_in_the_history() -> None:
    with transient_settings({"plugins_used": [{"name": name} for name in DETECTORS]}):
        found = [(where, kind) for where, line in history() for kind in credentials(line)]
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
