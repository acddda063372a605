"""A sample of the hostile inputs that `benchmarks/fuzz.py` makes in great numbers."""

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
}  # times those of the profile


@pytest.mark.parametrize("name", fuzz_targets.TARGETS)
def test_hostile_inputs_end_in_a_result_or_a_sentence(name, tmp_path):
    """Whatever is read or asked, what comes of it is a result that keeps the rules, or one clear sentence."""
    target = fuzz_targets.TARGETS[name](tmp_path)
    try:
        for number in range(EXAMPLES[name] * hypothesis.settings().max_examples):
            given = target.make(Random(f"{name}-{number}"))
            assert (number, given, fuzz_targets.faults_of(target, given)) == (number, given, [])
    finally:
        if hasattr(target, "close"):
            target.close()
