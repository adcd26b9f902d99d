"""One process that fuzzes one target, guided by coverage (libFuzzer, by Atheris), or does one input again.

    python -m experiments.fuzz.engine admission out/fuzz/admission/found-ViolationError-1f2e3d4c

does what is in these files (or in all of a folder) once, and ends with what it raises.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import logging
import resource
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from experiments.fuzz.target import GUIDES, NAMES, Target, find

PROJECT: Final = Path(__file__).parents[2]
CORPUS: Final = PROJECT / "tests" / "assets" / "fuzz"
"""A folder for each target: the inputs of what was found once, and is mended."""
ROOM: Final = 1 << 30
"""Bytes of address space that a target gets beside what it has taken before the first input."""
LONGEST: Final = 60
"""Seconds after which an input that is still worked on counts as a find."""
UNGUIDED: Final = ("processors.wire.packed_arrays",)
"""Modules that compare whole tables: Atheris keeps what comes of comparing arrays for ever, megabytes an input."""
RETRIES: Final = 3
"""How often a change is tried until it fits the size that an input may have."""


def signature(error: BaseException) -> str:
    """Return what tells one find from another: what was raised, and where in this project."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if str(PROJECT) in one.filename and "site-packages" not in one.filename]
    own = [one for one in ours if "/fuzz/" not in one.filename] or ours
    # A property is told by its words, of which numbers and names are no part.
    last = own[-1] if own and not isinstance(error, AssertionError) else None
    what = str(error)[:40] if last is None else f"{last.filename}:{last.name}:{last.lineno}"
    digest = hashlib.sha256(f"{type(error).__name__} {what}".encode()).hexdigest()[:8]
    return f"{type(error).__name__}-{digest}"


class Finds:
    """What was found, one of each signature, in a folder: the smallest input, and beside it the traceback."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target, self._folder = target, folder
        self._sizes: dict[str, int] = {}

    def check(self, data: bytes) -> None:
        """Do what is to be done with an input, and keep it where that goes wrong."""
        try:
            self._target.check(data)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._keep(data, error)
        gc.collect()  # a worker's parts refer to one another, and are large: by itself Python frees them late

    def _keep(self, data: bytes, error: BaseException) -> None:
        name = signature(error)
        known = self._sizes.get(name)
        if known is not None and len(data) >= known:
            return
        self._sizes[name] = len(data)
        path = self._folder / f"found-{name}"
        path.write_bytes(data)
        path.with_suffix(".txt").write_text("".join(traceback.format_exception(error)))
        if known is None:
            told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            print(f"FOUND {path}\n  {told}", flush=True)


def bound_memory() -> None:
    """Let this process take so much address space and no more: what asks for terabytes gets a MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def compiled_modules() -> list[str]:
    """Return the modules with functions that numba compiles from their bytecode: it must stay as it is."""
    found = (PROJECT / "processors").rglob("*.py")
    texts = {path: path.read_text() for path in found}
    return [
        path.relative_to(PROJECT).with_suffix("").as_posix().replace("/", ".")
        for path, text in texts.items()
        if "from processors.compiled import" in text or path.name == "compiled.py"
    ]


def fuzz(name: str, folder: Path, until: float, seed: int) -> None:
    """Fuzz a target until a moment of the monotonic clock; finds go to a folder. Does not return."""
    import atheris  # noqa: PLC0415  # the extra `fuzz`

    with atheris.instrument_imports(include=list(GUIDES[name]), exclude=[*compiled_modules(), *UNGUIDED]):
        target = find(name)
    logging.disable(logging.WARNING)
    begun = folder / "corpus"
    begun.mkdir(parents=True, exist_ok=True)
    finds = Finds(target, folder)
    for data in target.seeds():
        finds.check(data)
        (begun / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    gc.collect()
    gc.freeze()  # what lasts is not looked through again
    bound_memory()

    def mutate(data: bytes, most: int, chosen: int) -> bytes:
        rng = Random(chosen)
        for _ in range(RETRIES):
            try:
                changed = target.mutated(data, rng)
            except (MemoryError, RecursionError):
                changed = None
            if changed is not None and len(changed) <= most:
                return changed
        blind: bytes = atheris.Mutate(data, most)
        return blind

    options = [
        f"-max_total_time={max(1, round(until - time.monotonic()))}",
        f"-max_len={target.most_bytes}",
        f"-seed={seed}",
        f"-timeout={LONGEST}",
        f"-artifact_prefix={folder}/",
        "-rss_limit_mb=0",
        "-print_final_stats=1",
    ]
    folders = [str(begun), *([str(CORPUS / name)] if (CORPUS / name).is_dir() else [])]
    atheris.Setup([sys.argv[0], *options, *folders], finds.check, custom_mutator=mutate)
    atheris.Fuzz()


def again(name: str, paths: Sequence[Path]) -> None:
    """Do once what is in these files, within the memory that there is while fuzzing."""
    target = find(name)
    logging.disable(logging.WARNING)
    for data in target.seeds():
        target.check(data)
    bound_memory()
    for path in sorted(one for given in paths for one in (given.iterdir() if given.is_dir() else [given])):
        print(path, flush=True)
        target.check(path.read_bytes())


def main(arguments: Sequence[str] | None = None) -> None:
    """Fuzz, or do inputs again."""
    parser = argparse.ArgumentParser(prog="python -m experiments.fuzz.engine", description=__doc__)
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("inputs", nargs="*", type=Path, help="to do again; without any, it fuzzes")
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"))
    parser.add_argument("--until", type=float, help="when to end, by the monotonic clock (s)")
    parser.add_argument("--seed", type=int, default=1)
    given: Any = parser.parse_args(arguments)
    if given.inputs:
        again(given.target, given.inputs)
    else:
        until = time.monotonic() + 60 if given.until is None else given.until
        fuzz(given.target, given.out / given.target, until, given.seed)


if __name__ == "__main__":
    main()
