"""Makes `.venv`, whole or not at all: `make install` runs it with the Python that the environment is to have.

It has to say in words that a Python is too old, so it keeps to what Python 3.7 can read.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(".venv")
STAMP = FOLDER / "installed"
"""The last file to be made: an environment without it is none."""
LOCK = Path("requirements.lock")
OLDEST, NEWEST = (3, 11), (3, 13)


def refusal(version: tuple[int, int]) -> str | None:
    """Return what to say of a Python of this version (major, minor), None where it will do."""
    if OLDEST <= version <= NEWEST:
        return None
    return (
        f"{sys.executable} is Python {version[0]}.{version[1]}, and 3.11, 3.12 or 3.13 is needed: install one and name "
        "it, as in `make PYTHON=python3.12 install`. Nothing was made"
    )


def pip(*arguments: str) -> None:
    """Install with the environment's pip, with a line for each package. Raises `CalledProcessError`."""
    total = len(re.findall(r"^[\w.-]+(?:\[.*?\])?==", LOCK.read_text(encoding="utf-8"), re.MULTILINE))
    command = [str(FOLDER / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", *arguments]
    count = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, universal_newlines=True) as running:
        for line in running.stdout or ():
            words = line.split()
            if words[:1] == ["Collecting"]:
                count += 1
                print(f"  {count:3d} of {total}  {words[1]}", flush=True)
            elif words[:1] == ["Installing"] and count:
                print(f"  installing {count} packages: a minute or two", flush=True)
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, command)


def main() -> None:
    """Make the environment, or bring it up to date; what was begun and not finished is removed."""
    refused = refusal(sys.version_info[:2])
    if refused:
        sys.exit(refused)
    anew = not STAMP.exists()
    try:
        if anew:
            print(f"Making {FOLDER} with Python {sys.version.split()[0]}: some minutes, 1.3 GB", flush=True)
            subprocess.check_call([sys.executable, "-m", "venv", "--clear", str(FOLDER)])
        pip("--require-hashes", "-r", str(LOCK))
        pip("--no-deps", "--no-build-isolation", "--editable", "./groundswell", "--editable", ".")
        STAMP.touch()
    except BaseException as failure:
        if anew:
            shutil.rmtree(FOLDER, ignore_errors=True)
        if isinstance(failure, subprocess.CalledProcessError):
            sys.exit(f"{FOLDER} was not {'made' if anew else 'brought up to date'}: what failed says so above")
        raise


if __name__ == "__main__":
    main()
