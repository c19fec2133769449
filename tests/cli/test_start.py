"""What starts must start fast, and import only what it needs."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from cleanplate.cli import main
from cleanplate.cli.docs import text

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("cleanplate")


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(args, capture_output=True, text=True, check=False, timeout=60)


def fastest(*args: str) -> float:
    """Seconds of computing in the fastest of five runs: the machine may be busy with others."""
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run(*args).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def test_importing_cleanplate_imports_neither_torch_nor_av_nor_cv2_nor_numpy() -> None:
    heavy = "('torch', 'av', 'cv2', 'numpy')"
    code = f"import cleanplate, sys; print([m for m in {heavy} if m in sys.modules])"
    assert run(sys.executable, "-c", code).stdout.strip() == "[]"


def test_importing_cleanplate_takes_under_a_tenth_of_a_second() -> None:
    empty = fastest(sys.executable, "-c", "pass")
    assert fastest(sys.executable, "-c", "import cleanplate") - empty < 0.1


def test_help_comes_within_half_a_second() -> None:
    library = fastest(sys.executable, "-c", "import typer.main, typer.rich_utils")
    # On a slow machine, or one at work, what the library alone takes there is the measure.
    assert fastest(str(PROGRAM), "--help") < max(0.5, 2.5 * library)


def test_every_public_name_can_be_imported() -> None:
    code = "import cleanplate; print(all(hasattr(cleanplate, n) for n in cleanplate.__all__))"
    assert run(sys.executable, "-c", code).stdout.strip() == "True"


def test_the_page_of_commands_is_current() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == text(), "run scripts/write-cli-docs"


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["remove"], 2, "Missing argument 'CLIP'; see cleanplate remove --help."),
        (["fly"], 2, "No such command 'fly'"),
        (["compare", "a", "b", "-o", "c.png", "--frames", "0"], 2, "--frames"),
        (["remove", "clip.mp4", "-o", "c.mp4", "--grow", "x"], 2, "--grow"),
        (["info", "no-such-file.mp4"], 2, "no-such-file.mp4"),
        (["info", str(ROOT / "pyproject.toml")], 1, "pyproject.toml"),
        (["engines"], 0, ""),
    ],
)
def test_exit_codes_tell_what_was_typed_from_what_went_wrong(
    args: list[str], code: int, words: str
) -> None:
    done = run(str(PROGRAM), *args)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == (code != 0), "an error is one sentence"


def test_no_command_is_a_wish_for_help() -> None:
    done = run(str(PROGRAM))
    assert done.returncode == 2
    assert "Usage: cleanplate" in done.stdout
    assert done.stderr == ""


def test_a_defect_is_a_sentence_and_with_debug_a_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("cleanplate.media.read.open_clip", broken)
    for arguments, traced in ((["info", "x"], False), (["info", "x", "--debug"], True)):
        monkeypatch.setattr(sys, "argv", ["cleanplate", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 1
        said = capsys.readouterr().err
        assert "ZeroDivisionError: division by zero" in said
        assert ("Traceback" in said) == traced


def test_a_reader_that_leaves_early_is_no_error() -> None:
    listing = subprocess.run(
        f"{PROGRAM} engines --json | head -c 1", shell=True, capture_output=True, text=True
    )
    assert (listing.stdout, listing.stderr) == ("[", "")
