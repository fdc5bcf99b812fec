"""The bare commit loop: what a durable step costs when nothing hands it on."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass

import psycopg

from bench.contenders import Load
from bench.ground import REPOSITORY, Ground, environment

_TABLES = """
CREATE TABLE bench_processes (
    seq bigint PRIMARY KEY, position int NOT NULL DEFAULT 0, state jsonb NOT NULL DEFAULT '{}');
CREATE TABLE bench_steps (
    step_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, process_seq bigint NOT NULL, name text, status text,
    delta jsonb, completed_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX ON bench_steps (process_seq);
"""


@dataclass(frozen=True)
class CommitLoop:
    """As many clients as there are worker children elsewhere, each in a loop."""

    name: str = "bare commit loop"

    def throughput(self, ground: Ground, load: Load) -> float:
        """Steps a second."""
        share = load.processes // load.children
        with ground.new_database() as url:
            with psycopg.connect(url) as connection:
                connection.execute(_TABLES)
                connection.execute("INSERT INTO bench_processes (seq) SELECT generate_series(1, %s)", [load.processes])
            clients = [self._client(url, share, 1 + number * share) for number in range(load.children)]
            for client in clients:
                assert client.stdout is not None
                client.stdout.readline()
            began = time.perf_counter()
            for client in clients:
                assert client.stdin is not None
                client.stdin.write("go\n")
                client.stdin.flush()
            for client in clients:
                client.communicate(timeout=120)
            return share * load.children * 10 / (time.perf_counter() - began)

    @staticmethod
    def _client(url: str, processes: int, first: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "bench.programs.commit_loop", url, str(processes), str(first)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=REPOSITORY, env=environment(), stdin=pipe, stdout=pipe, text=True)
