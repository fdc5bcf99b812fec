"""What the benchmark makes of its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import __main__ as command_line
from bench import baselines, results, shown
from bench.cases import blocks, lists, steps, workers
from bench.figures import Figures
from bench.goals import GOALS
from bench.ground import REPOSITORY
from bench.orders import taking_orders
from bench.report import Report

NOW = {"date": "2026-02-01T10:00:00+00:00", "revision": "abc1234"}
EARLIER = {"date": "2026-01-01T10:00:00+00:00", "revision": "fed4321"}


def report_of(series: dict[str, list[float]], **ratios: float) -> Report:
    return Report(
        series=series,
        units=dict.fromkeys(series, "ms"),
        ratios={name: Figures.of([one]) for name, one in ratios.items()},
    )


def test_a_ratio_is_made_of_the_runs_that_stood_beside_each_other() -> None:
    ours, theirs = Figures.of([300.0, 200.0, 400.0]), Figures.of([100.0, 100.0, 400.0])

    assert ours.over(theirs).values == (3.0, 2.0, 1.0)
    assert ours.over(theirs).as_json() == {"minimum": 1.0, "median": 2.0, "maximum": 3.0}


def test_figures_without_a_run_and_ratios_of_unequal_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="no run"):
        Figures.of([])
    with pytest.raises(ValueError, match="zip"):
        Figures.of([1.0]).over(Figures.of([1.0, 2.0]))


def test_a_goal_that_was_missed_is_said_to_be_missed() -> None:
    report = report_of({}, steps_vs_celery=0.69, latency_vs_oc_best=0.41, steps_vs_dbos=1.5)

    found = results.results_of(report, NOW)

    lines = {line.split()[0]: line for line in shown.table(found) if line.startswith(tuple(GOALS))}
    assert lines["steps_vs_celery"].endswith("at least 0.7: missed")
    assert lines["latency_vs_oc_best"].endswith("at most 0.4: missed")
    assert lines["steps_vs_dbos"].endswith("at least 1.5: reached")


def test_ratios_come_first_and_in_the_order_of_the_goals() -> None:
    report = report_of({"(b) ours": [30.0, 31.0]}, latency_vs_oc_best=0.3, steps_vs_celery=0.8)

    lines = list(shown.table(results.results_of(report, NOW)))

    where = [
        next(number for number, line in enumerate(lines) if line.startswith(begin))
        for begin in ("steps_vs_celery", "latency_vs_oc_best", "(b) ours")
    ]
    assert where == sorted(where)


def test_what_a_run_did_not_measure_stays_with_its_date() -> None:
    earlier = results.results_of(
        report_of({"(e, growth) ours, first page": [2.0], "(a) a contender of before": [5.0]}, list_time_1m_vs_1k=1.1),
        EARLIER,
    )
    now = results.results_of(report_of({"(e) ours": [3.0], "(a) ours": [300.0]}, steps_vs_celery=0.7), NOW)

    both = results.merged(earlier, now)

    assert list(both["ratios"]) == ["steps_vs_celery", "list_time_1m_vs_1k"]
    assert both["ratios"]["list_time_1m_vs_1k"] == {
        "minimum": 1.1,
        "median": 1.1,
        "maximum": 1.1,
        "goal": "at most 1.5",
        **EARLIER,
    }
    assert both["ratios"]["steps_vs_celery"]["date"] == NOW["date"]
    assert list(both["figures"]) == ["(a) ours", "(e) ours", "(e, growth) ours, first page"]
    assert [line for line in shown.table(both, only=NOW["date"]) if "list_time" in line or "growth" in line] == []


def test_what_was_measured_again_replaces_what_was_measured_before() -> None:
    earlier = results.results_of(report_of({"(a) ours": [100.0]}, steps_vs_celery=0.5), EARLIER)
    now = results.results_of(report_of({"(a) ours": [300.0]}, steps_vs_celery=0.7), NOW)
    earlier["notes"] = ["(a) Celery alone: far off", "(h) a remark"]

    both = results.merged(earlier, now)

    assert (both["ratios"]["steps_vs_celery"]["median"], both["figures"]["(a) ours"]["median"]) == (0.7, 300.0)
    assert both["notes"] == ["(h) a remark"]


def test_results_are_read_as_they_were_saved(tmp_path: Path) -> None:
    path = tmp_path / "results" / "latest.json"
    assert results.read(path) == {}
    found = results.results_of(report_of({"(a) ours": [300.0, 310.0]}, steps_vs_celery=0.7), NOW)

    results.save(found, path)

    assert results.read(path) == found == json.loads(path.read_text())
    assert [one.name for one in path.parent.iterdir()] == ["latest.json"]


def test_the_documents_tables_name_what_was_missed() -> None:
    found = results.results_of(report_of({"(a) ours": [300.0, 312.0]}, steps_vs_celery=0.5, steps_vs_dbos=1.6), NOW)

    lines = list(shown.markdown(found))

    assert "| `steps_vs_celery` | at least 0.7 | **0.500** (missed) | 0.500 to 0.500 |" in "\n".join(lines)
    assert "| `steps_vs_dbos` | at least 1.5 | **1.600** | 1.600 to 1.600 |" in "\n".join(lines)
    assert "| (a) ours | ms | 306 | 300 to 312 | 2 |" in lines


def test_a_peer_is_compared_in_the_form_in_which_it_does_better() -> None:
    rates = {
        steps.rate_of(steps.OURS): [400.0], steps.rate_of(steps.OURS, steps.LIVE): [300.0],
        steps.rate_of(steps.BURST): [1500.0], steps.rate_of(steps.BURST, steps.LIVE): [1000.0],
        steps.rate_of(steps.CELERY): [800.0], steps.rate_of(steps.LOOP): [3000.0], steps.rate_of(steps.DBOS): [250.0],
        steps.rate_of(steps.CORE_QUIET): [100.0], steps.rate_of(steps.CORE_QUIET, steps.LIVE): [200.0],
        steps.rate_of(steps.CORE_DEFAULT): [100.0], steps.rate_of(steps.CORE_DEFAULT, steps.LIVE): [50.0],
        steps.latency_of(steps.OURS): [30.0], steps.latency_of(steps.BURST): [12.0],
        steps.latency_of(steps.CORE_QUIET): [80.0], steps.latency_of(steps.CORE_DEFAULT): [120.0],
    }  # fmt: skip
    report = report_of(rates)

    steps.make_ratios(report)

    assert {name: ratio.median for name, ratio in report.ratios.items()} == {
        "steps_vs_celery": 0.5,
        "steps_vs_oc_best": 1.5,
        "steps_vs_oc_default": 4.0,
        "steps_vs_dbos": 1.6,
        "burst_vs_commit_loop": 0.5,
        "burst_vs_oc_best": 5.0,
        "latency_vs_oc_best": 0.375,
        "burst_latency_vs_oc_best": 0.15,
    }


def test_blocks_are_compared_by_the_times_of_the_other_over_ours() -> None:
    report = report_of(
        {
            blocks.title_of(blocks.OURS, blocks.LOAD, 100): [5.0],
            blocks.title_of(blocks.CORE, blocks.LOAD, 100): [20.0],
            blocks.title_of(blocks.OURS, blocks.SAVE, 100): [10.0],
            blocks.title_of(blocks.CORE, blocks.SAVE, 100): [800.0],
        }
    )

    blocks.make_ratios(report)

    assert {name: ratio.median for name, ratio in report.ratios.items()} == {
        "load_100_blocks_vs_oc": 4.0,
        "save_100_blocks_vs_oc": 80.0,
    }


def test_growth_is_what_became_slowest() -> None:
    few, many = (10.0, 10.0, 10.0, 8.0), (11.0, 14.0, 13.0, 12.0)
    whats = (lists.PAGE, lists.BY_STATUS, lists.FAILED, lists.DETAIL)
    report = report_of(
        {
            lists.title_of("ours", what, size, growth=True): [milliseconds]
            for size, times in ((lists.FEW, few), (lists.MANY, many))
            for what, milliseconds in zip(whats, times, strict=True)
        }
    )

    lists.make_ratio(report)

    assert report.ratios["list_time_1m_vs_1k"].median == 1.5


def test_memory_is_what_the_kernel_says(tmp_path: Path) -> None:
    (tmp_path / "smaps_rollup").write_text(
        "55d0a0000000-7ffd5a9f0000 ---p 00000000 00:00 0    [rollup]\n"
        "Rss:              109568 kB\nPss:               53248 kB\nPss_Anon:          40000 kB\nShared_Clean:  12 kB\n"
    )

    assert workers.memory_of(tmp_path) == {"RSS": 109568, "PSS": 53248}


def test_the_best_of_a_peer_is_the_best_of_all_its_executors() -> None:
    latencies = {steps.OURS: 30.0, steps.BURST: 12.0, steps.CORE_QUIET: 80.0, steps.THREADS_QUIET: 60.0}
    rates = {steps.OURS: 400.0, steps.BURST: 1800.0, steps.CORE_QUIET: 200.0, steps.THREADS_DEFAULT: 300.0}
    others = dict.fromkeys((steps.CELERY, steps.LOOP, steps.DBOS, steps.CORE_DEFAULT), 100.0)
    report = report_of(
        {steps.latency_of(name): [one] for name, one in latencies.items()}
        | {steps.rate_of(name): [one] for name, one in (rates | others).items()}
    )

    steps.make_ratios(report)

    assert report.ratios["steps_vs_oc_best"].median == 2.0  # its Celery executor alone
    assert report.ratios["burst_vs_oc_best"].median == 6.0
    assert report.ratios["latency_vs_oc_best"].median == 0.5
    assert report.ratios["burst_latency_vs_oc_best"].median == 0.2


def test_a_figure_that_is_far_off_is_not_compared_and_the_others_tell_why() -> None:
    usual = {"Celery alone": 700.0, "bare commit loop": 3600.0, "DBOS queue": 280.0}

    assert baselines.remarks(usual | {"ours": 9.0}) == []
    (alone,) = baselines.remarks(usual | {"DBOS queue": 100.0})
    slow_machine = baselines.remarks({name: value / 3 for name, value in usual.items()})

    assert alone.startswith("(a) DBOS queue: 100 steps/s is more than 40% off what was seen before (254 to 302)")
    assert "It is not the machine" in alone
    assert len(slow_machine) == 3
    assert all("It is the machine" in remark for remark in slow_machine)


def test_a_program_takes_orders_and_what_it_prints_is_no_answer(tmp_path: Path) -> None:
    code = (
        "print('import'); from bench.peers.orders import obey\n"
        "def add(*numbers):\n    print('noise'); return sum(numbers)\n"
        "obey(add)"
    )
    log = tmp_path / "log"

    with taking_orders([sys.executable, "-c", code], log, {"PYTHONPATH": str(Path.cwd())}, tmp_path) as program:
        assert program.receive() is None
        assert program.give(1, 2) == 3
        program.send("text")
        with pytest.raises(RuntimeError, match="TypeError"):
            program.receive()

    assert "noise" in log.read_text()


@pytest.mark.parametrize("runs", ["0", "-1", "x"])
def test_no_run_at_all_is_refused(runs: str) -> None:
    ended = bench_command(f"--runs={runs}", "--cases", "steps")
    assert (ended.returncode, "1 at least" in ended.stderr) == (2, True)
    assert "Traceback" not in ended.stderr


def test_tables_of_nothing_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command_line, "LATEST", tmp_path / "latest.json")
    monkeypatch.setattr(sys, "argv", ["bench", "--tables"])
    with pytest.raises(SystemExit) as refused:
        command_line.main()
    assert refused.value.code == 2


def test_the_target_of_make_takes_cases_and_runs() -> None:
    told = subprocess.run(
        ["make", "--dry-run", "bench", "CASES=steps", "RUNS=5"], cwd=REPOSITORY, capture_output=True, text=True
    ).stdout
    assert "-m bench --cases steps --runs 5" in told


def bench_command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "bench", *words], cwd=REPOSITORY, capture_output=True, text=True)
