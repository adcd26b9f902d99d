"""Asks pip-audit for known vulnerabilities of what a lock file pins, and says of how much nothing could be learned.

Exits 1 where a vulnerability is known. Where no advisory source can be reached, or it knows none of the packages, that
is said, and is no failure: a build behind a mirror that has no advisories would otherwise never be well.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def told(dependencies: Sequence[Mapping[str, Any]]) -> tuple[list[str], bool]:
    """Return what to say of the packages that were looked at, and whether a vulnerability is known."""
    unknown = [one for one in dependencies if "skip_reason" in one]
    found = [one for one in dependencies if one.get("vulns")]
    lines = [
        f"{one['name']} {one['version']}: {known['id']}, mended in {', '.join(known['fix_versions']) or 'no version'}"
        for one in found
        for known in one["vulns"]
    ]
    audited = len(dependencies) - len(unknown)
    if not audited:
        return ["audit: no advisory source can be reached from here: nothing was audited"], False
    lines.append(f"audit: {audited} packages audited, {len(unknown)} not known to the source, {len(found)} vulnerable")
    return lines, bool(found)


def main(lock: str) -> int:
    """Audit a lock file; return the exit status."""
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", lock, "--require-hashes", "--disable-pip",
        "--progress-spinner", "off", "--format", "json",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except ValueError:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        print(f"audit: no advisory source can be reached from here: nothing was audited ({reason[:200]})")
        return 0
    lines, vulnerable = told(dependencies)
    print("\n".join(lines))
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
