"""Apache Kafka at a terminal: one for each directory, for as long as its terminal is open."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from experiments.servers.apache_kafka import ApacheKafka

LOCK = "running"
"""The file in the directory that names process and address; it is locked while the process lives, however it ends."""


def run_in_foreground(kafka: ApacheKafka, say: Callable[[str], None]) -> None:
    """Run until SIGTERM, an interrupt, or the end of the terminal; where one runs on the directory, only say so.

    Raises `KafkaUnavailableError` where it does not start.
    """
    kafka.directory.mkdir(parents=True, exist_ok=True)
    with (kafka.directory / LOCK).open("a+", encoding="utf-8") as lock:
        if not _locked(lock):
            lock.seek(0)
            process, _, servers = lock.read().partition(" ")
            say(f"already runs (process {process}), with its data in {_shown(kafka.directory)}\n{exported(servers)}")
            return
        lock.truncate(0)
        lock.write(f"{os.getpid()} {kafka.bootstrap_servers}")
        lock.flush()
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # `nohup` asks for what outlives its terminal.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda *_: ended.set())
        with kafka:
            say(
                f"runs until Ctrl-C or the end of this terminal; its data stays in {_shown(kafka.directory)}\n"
                f"{exported(kafka.bootstrap_servers)}"
            )
            ended.wait()


def exported(servers: str) -> str:
    """Return what other terminals need to find the cluster."""
    return f"export KAFKA_BOOTSTRAP_SERVERS={servers}"


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _shown(directory: Path) -> str:
    return f"{os.path.relpath(directory)}/"
