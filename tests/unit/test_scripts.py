# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scripts behind the Makefile: they take only a Python that runs, repair what was interrupted, and see a run that
tested nothing."""

from __future__ import annotations

import importlib
import pathlib
import subprocess
import sys
import types
import typing as t
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
REAL_PYTHON = pathlib.Path(sys.executable).resolve()


Load = t.Callable[[str], types.ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports a file of scripts/; they are programs, so no package holds them."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module


# --- find_python.sh ---


def find_python(order: str, path: pathlib.Path, home: pathlib.Path, *wanted: str) -> subprocess.CompletedProcess[str]:
    """Run the search on a machine that has what is in `path` and `home`, and its own /usr/bin."""
    return subprocess.run(
        ["/bin/bash", ROOT / "scripts/find_python.sh", order, *wanted],
        env={"PATH": str(path), "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def stand_in(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_a_python_on_the_path_that_does_not_run_is_passed_over(tmp_path: pathlib.Path, order: str) -> None:
    for version in ("3.11", "3.12", "3.13"):
        stand_in(tmp_path / "bin" / f"python{version}", "echo 'command not found' >&2; exit 127")
    installed = tmp_path / ".pyenv" / "versions" / f"{VERSION}.0" / "bin" / "python3"
    installed.parent.mkdir(parents=True)
    installed.symlink_to(REAL_PYTHON)

    found = find_python(order, tmp_path / "bin", tmp_path)

    assert found.returncode == 0
    assert found.stdout.strip() == str(REAL_PYTHON) or found.stdout.startswith("/usr/bin/python3")


def test_a_named_python_that_does_not_run_is_refused(tmp_path: pathlib.Path) -> None:
    stand_in(tmp_path / "python", "exit 127")

    found = find_python("newest", tmp_path, tmp_path, str(tmp_path / "python"))

    assert (found.returncode, found.stdout) == (1, "")
    assert "does not run" in found.stderr


def test_a_named_python_is_taken(tmp_path: pathlib.Path) -> None:
    found = find_python("oldest", tmp_path, tmp_path, str(REAL_PYTHON))

    assert (found.returncode, found.stdout.strip()) == (0, str(REAL_PYTHON))


# --- fetch_collection.py ---


@pytest.fixture
def fetch(load: Load, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The script, with a small wheel in the place of the download."""
    module = load("fetch_collection")

    def download(requirements: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
        wheel = folder / "ansible-1-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("ansible_collections/amazon/aws/MANIFEST.json", requirements.read_text())
            archive.writestr("ansible_collections/community/other/MANIFEST.json", "{}")
        return wheel

    monkeypatch.setattr(module, "download", download)
    return module


@pytest.fixture
def site_packages(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    return folder


@pytest.fixture
def pins(tmp_path: pathlib.Path) -> pathlib.Path:
    file = tmp_path / "pins.txt"
    file.write_text("ansible==1")
    return file


def files(folder: pathlib.Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


INSTALLED = ["ansible_collections/amazon/aws/.from-wheel", "ansible_collections/amazon/aws/MANIFEST.json"]


def test_nothing_but_the_collection_is_unpacked(
    fetch: types.ModuleType, pins: pathlib.Path, site_packages: pathlib.Path
) -> None:
    fetch.install("amazon.aws", pins, site_packages)

    assert files(site_packages) == INSTALLED


def test_each_collection_has_its_place(
    fetch: types.ModuleType, pins: pathlib.Path, site_packages: pathlib.Path
) -> None:
    fetch.install("amazon.aws", pins, site_packages)
    fetch.install("community.other", pins, site_packages)

    other = [name.replace("amazon/aws", "community/other") for name in INSTALLED]
    assert files(site_packages) == sorted(INSTALLED + other)


@pytest.mark.parametrize(
    ("collection", "reason"),
    [
        ("amazon", "is no name of a collection"),
        ("amazon.aws/..", "is no name of a collection"),
        ("amazon.other", "has no collection amazon.other"),
    ],
)
def test_a_collection_that_the_wheel_has_not_is_refused(
    collection: str, reason: str, fetch: types.ModuleType, pins: pathlib.Path, site_packages: pathlib.Path
) -> None:
    with pytest.raises(ValueError, match=reason):
        fetch.install(collection, pins, site_packages)

    assert files(site_packages) == []


def test_a_half_unpacked_collection_is_replaced(
    fetch: types.ModuleType, pins: pathlib.Path, site_packages: pathlib.Path
) -> None:
    half = site_packages / "ansible_collections/amazon/aws/plugins"
    half.mkdir(parents=True)
    (half / "left-over.py").touch()

    fetch.install("amazon.aws", pins, site_packages)

    assert files(site_packages) == INSTALLED


def test_another_pin_replaces_the_collection(
    fetch: types.ModuleType, pins: pathlib.Path, site_packages: pathlib.Path
) -> None:
    fetch.install("amazon.aws", pins, site_packages)
    pins.write_text("ansible==2")

    fetch.install("amazon.aws", pins, site_packages)

    assert (site_packages / INSTALLED[1]).read_text() == "ansible==2"


def test_a_second_run_downloads_nothing(
    fetch: types.ModuleType, pins: pathlib.Path, site_packages: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch.install("amazon.aws", pins, site_packages)
    monkeypatch.setattr(fetch, "download", lambda *_arguments: pytest.fail("downloaded again"))

    fetch.install("amazon.aws", pins, site_packages)

    assert files(site_packages) == INSTALLED


def test_a_failed_download_leaves_what_was_there(
    fetch: types.ModuleType, pins: pathlib.Path, site_packages: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch.install("amazon.aws", pins, site_packages)
    pins.write_text("ansible==2")

    def refuse(*_arguments: object) -> pathlib.Path:
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(fetch, "download", refuse)
    with pytest.raises(subprocess.CalledProcessError):
        fetch.install("amazon.aws", pins, site_packages)

    assert files(site_packages) == INSTALLED
    assert (site_packages / INSTALLED[1]).read_text() == "ansible==1"


# --- check_execution_environment.py ---


CONTAINERFILE = 'ARG ANSIBLE_INSTALL_REFS="ansible-core==2 ansible-runner==3"\n'
IMAGE = {"ansible-core": "2", "ansible-runner": "3", "boto3": "4", "botocore": "5", "pyotp": "6"}


@pytest.fixture
def image(load: Load, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The script; the gates run on the versions of IMAGE, and on an amazon.aws that nobody looks at."""
    module = load("check_execution_environment")
    monkeypatch.setattr(module, "tested_versions", lambda: IMAGE)
    monkeypatch.setattr(module, "collection_problems", lambda *_arguments: [])
    return module


@pytest.mark.parametrize(
    ("lines", "problems"),
    [
        (["boto3==4", "botocore==5", "pyotp==6"], []),
        (["boto3==4", "botocore==7", "pyotp==6"], ["botocore is 7 in the image, and 5 in the tests"]),
        (["boto3==4", "botocore==5"], ["pyotp is not pinned for the image"]),
        (
            ["boto3==4", "botocore==5", "pyotp==6", "other==1"],
            ["other is 1 in the image, and None in the tests"],
        ),
    ],
    ids=["as tested", "another version", "not pinned", "not tested"],
)
def test_an_image_has_what_was_tested(
    lines: list[str], problems: list[str], image: types.ModuleType, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "_build").mkdir()
    (tmp_path / "Containerfile").write_text(CONTAINERFILE)
    (tmp_path / "_build" / "requirements.txt").write_text("\n".join(lines))

    assert image.context_problems(tmp_path, tmp_path / "archive.tar.gz") == problems


def test_an_image_without_an_exact_version_is_refused(image: types.ModuleType) -> None:
    with pytest.raises(ValueError, match="boto3>=1 is no exact version"):
        image.pins(["boto3>=1"])


def test_what_a_collection_asks_for_is_in_the_image(image: types.ModuleType) -> None:
    stated = [
        line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")
    ]
    asked = {
        image.OWN: [image.Requirement(line) for line in stated],
        image.AMAZON: [image.Requirement("other>=1")],
    }
    bounds = {image.Requirement(line).name: line.partition(">=")[2] for line in stated}

    assert image.requirement_problems(asked, bounds | {"other": "1"}) == []
    assert image.requirement_problems(asked, bounds) == ["amazon.aws asks for other>=1, and the image has None"]
    asked[image.OWN].pop()
    assert any("requirements.txt has" in problem for problem in image.requirement_problems(asked, bounds))


# --- run_ansible_test.py ---


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("print('Running sanity test')", 0),
        ("import sys; sys.exit(3)", 3),
        ("print('WARNING: All targets skipped.')", 1),
    ],
    ids=["passes", "fails", "tests nothing"],
)
def test_status_of_ansible_test(program: str, status: int, load: Load, tmp_path: pathlib.Path) -> None:
    assert load("run_ansible_test").run([sys.executable, "-c", program], tmp_path) == status


# --- set_up_chromium.py ---


@pytest.fixture
def chromium(load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> types.ModuleType:
    """The script on a machine that has nothing but what a test puts into `bin`; it has no rights there."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    return load("set_up_chromium")


def test_a_chromium_that_runs_is_enough(chromium: types.ModuleType, tmp_path: pathlib.Path) -> None:
    stand_in(tmp_path / "bin" / "chromium", "echo install me by snap >&2; exit 1")
    stand_in(tmp_path / "bin" / "google-chrome", "echo 150")

    assert chromium.find() == str(tmp_path / "bin" / "google-chrome")
    assert chromium.main() == 0


@pytest.mark.parametrize(("ci", "status"), [(None, 0), ("true", 1)], ids=["somewhere", "in continuous integration"])
def test_without_a_chromium_it_is_said_that_nothing_was_tested(
    ci: str | None,
    status: int,
    chromium: types.ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if ci:
        monkeypatch.setenv("CI", ci)

    assert chromium.main() == status
    said = capsys.readouterr().err
    assert said.startswith("NOT TESTED: the HTML report")
    assert "needs apt-get" in said


@pytest.mark.parametrize("rights", ["root", "sudo"])
def test_chromium_is_installed_by_apt_with_the_rights_for_it(
    rights: str, chromium: types.ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    calls, browser = tmp_path / "calls", tmp_path / "bin" / "chromium"
    install = f'/bin/echo "#!/bin/sh" > {browser}; /bin/chmod +x {browser}'
    stand_in(tmp_path / "bin" / "apt-get", f'echo "$@" >> {calls}\ncase "$*" in *install*) {install};; esac')
    if rights == "root":
        monkeypatch.setattr("os.geteuid", lambda: 0)
    else:
        stand_in(tmp_path / "bin" / "sudo", 'shift; case "$1" in DEBIAN*) shift;; true) exit 0;; esac; exec "$@"')

    assert chromium.main() == 0
    assert chromium.find() == str(browser)
    update, installed = calls.read_text().splitlines()
    assert update.endswith(" update")
    assert installed.endswith(" install --yes --no-install-recommends chromium")


def test_nothing_is_installed_where_sudo_would_ask_for_a_password(
    chromium: types.ModuleType, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(tmp_path / "bin" / "apt-get", f"echo called > {tmp_path}/called")
    stand_in(tmp_path / "bin" / "sudo", "echo a password is required >&2; exit 1")

    assert chromium.main() == 0
    assert not (tmp_path / "called").exists()
    assert "NOT TESTED" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("program", "reason"),
    [("echo E: no network; exit 100", "apt-get update failed: E: no network"), ("exit 0", "does not run")],
    ids=["apt fails", "apt installs something else"],
)
def test_why_there_is_no_chromium_is_told(
    program: str,
    reason: str,
    chromium: types.ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    stand_in(tmp_path / "bin" / "apt-get", program)

    assert chromium.main() == 0
    assert reason in capsys.readouterr().err


# --- run_gates.py ---


@pytest.mark.parametrize(
    ("program", "verdict", "missed"),
    [
        ("echo fine", "passed", ()),
        ("echo 'NOT TESTED: the page' >&2", "NOT TESTED", ("NOT TESTED: the page",)),
        ("echo 'NOT TESTED: the page'; exit 1", "FAILED", ("NOT TESTED: the page",)),
    ],
    ids=["done", "not done", "not done, and that is an error"],
)
def test_a_gate_that_could_not_do_its_work_is_not_called_passed(
    program: str,
    verdict: str,
    missed: tuple[str, ...],
    load: Load,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gates = load("run_gates")
    stand_in(tmp_path / "make", program)
    monkeypatch.setenv("MAKE", str(tmp_path / "make"))
    monkeypatch.setattr(gates, "LOGS", tmp_path)

    result = gates.run_gate("browser")

    assert (result.verdict, result.not_tested) == (verdict, missed)
    said = capsys.readouterr().out
    assert f"browser: {verdict}" in said
    assert all(line in said for line in missed)
