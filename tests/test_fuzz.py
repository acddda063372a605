"""A sample of the hostile inputs that `benchmarks/fuzz.py` creates."""

import argparse
import os
import resource
import signal
import subprocess
import threading
from pathlib import Path
from random import Random

import fuzz_targets
import hypothesis
import pytest

EXAMPLES = {
    "front-matter": 2,
    "configuration": 20,
    "requests": 20,
    "logs": 2,
    "manifests": 1,
}  # times the examples of the hypothesis profile


@pytest.mark.parametrize("name", fuzz_targets.TARGETS)
def test_hostile_inputs_end_in_a_result_or_a_sentence(name, tmp_path):
    """Every hostile input leads to a valid result or to one clear message."""
    target = fuzz_targets.TARGETS[name](tmp_path)
    try:
        for number in range(EXAMPLES[name] * hypothesis.settings().max_examples):
            given = target.create_input(Random(f"{name}-{number}"))
            assert (number, given, fuzz_targets.violations_of(target, given)) == (number, given, [])
    finally:
        if hasattr(target, "close"):
            target.close()


@pytest.fixture
def fuzz(monkeypatch):
    """Return `benchmarks/fuzz.py` as a module, with short limits."""
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "benchmarks")
    import fuzz

    monkeypatch.setattr(fuzz, "HANG_IDLE_S", 0.3)
    monkeypatch.setattr(fuzz, "HANG_CPU_S", 0.3)
    monkeypatch.setattr(fuzz, "CHECK_INTERVAL_S", 0.05)
    monkeypatch.setattr(fuzz, "MEMORY_BYTES", resource.RLIM_INFINITY)  # the memory of the test's process is inherited
    return fuzz


def _spin():
    while True:
        pass


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize(
    ("hang", "violation"),
    [
        (threading.Event().wait, "uses no CPU time for 0.3 s"),
        (_spin, "takes more than 0.3 s of CPU time"),
        (lambda: os._exit(3), "ends the process (3)"),
    ],
)
def test_the_fuzzer_reports_a_case_that_never_ends(fuzz, capsys, hang, violation):
    """A case that waits for ever, uses CPU time for ever or ends the process is reported, and the next one is checked."""

    def check(text, _dialect):
        if text == "2":
            hang()
        return text, ["a violation"] if text == "3" else []

    cases = [(f"case {number}", "", lambda number=number: str(number)) for number in range(4)]
    options = argparse.Namespace(processes=1, save=None)
    assert fuzz.run(cases, lambda: check, options) == 2
    first, second, summary, *_ = capsys.readouterr().out.splitlines()
    assert (first, second) == (f"case 2, , 1 characters: {violation}", "case 3, , 1 characters: a violation")
    assert summary.startswith("4 inputs in ")


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_worker_that_is_stopped_is_not_reported(fuzz, capsys):
    """A case during which a signal stops the worker, as on a machine that measures something else, does not count as a hang."""

    def check(text, _dialect):
        subprocess.Popen(["sh", "-c", f"sleep 1; kill -CONT {os.getpid()}"])
        os.kill(os.getpid(), signal.SIGSTOP)
        return text, []

    options = argparse.Namespace(processes=1, save=None)
    assert fuzz.run([("case", "", lambda: "text")], lambda: check, options) == 0
