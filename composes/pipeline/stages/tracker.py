"""What Debian's security tracker knows now, kept for some hours; a compose does not fail because it is silent."""

from __future__ import annotations

import hashlib
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

from chroots.engine.archives.fetch import opened
from chroots.engine.state import locked
from composes.pipeline.graph import Facts, Stage
from composes.pipeline.job import Job
from debatomic.tools.errors import ToolError
from debatomic.tools.files import sha256, whole

FRESH = 6 * 3600.0  # seconds
LARGEST = 1 << 30  # bytes


def make(job: Job) -> Facts:
    """Facts: `data`, the path of what is known, and `of`, when it was fetched; or else `reason`, why there is none."""
    address = job.order.security_tracker
    if address in ("", "none"):
        return _silent("The security tracker was not asked: no address of its data is set.")
    try:
        path = _kept(job, address) if "://" in address else Path(address)
        digest = sha256(path)
    except ToolError as error:
        job.log.line(f"security tracker: {error}")
        return _silent(f"The security tracker could not be asked: {error}")
    except OSError as error:
        return _silent(f"The security tracker's data cannot be read: {address} ({error.strerror}).")
    fetched = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return {"digest": digest, "data": str(path), "of": f"{fetched:%Y-%m-%dT%H:%M:%SZ}", "address": address}


def _silent(reason: str) -> Facts:
    return {"digest": hashlib.sha256(reason.encode()).hexdigest(), "reason": reason}


def _kept(job: Job, address: str) -> Path:
    """The data of an address, at most `FRESH` old; older if it cannot be had anew."""
    folder = job.order.state.root / "composes/tracker"
    path = folder / f"{hashlib.sha256(address.encode()).hexdigest()[:16]}.json"
    with locked(folder / "lock"):
        if not path.exists() or time.time() - path.stat().st_mtime > FRESH:
            job.progress.report(0.9, "security tracker")
            try:
                _fetch(address, path)
            except ToolError as error:
                if not path.exists():
                    raise
                job.log.line(f"security tracker: {error}; the data of before is used")
    return path


def _fetch(address: str, path: Path) -> None:
    with opened(address) as answer, whole(path) as file:
        shutil.copyfileobj(answer, file, 1 << 20)


STAGE = Stage(name="tracker", phase="init", make=make, stored=False, uses_tools=False)
