"""A sample of the hostile inputs that `benchmarks/fuzz.py` creates."""

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
