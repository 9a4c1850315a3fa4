"""The run: every line once, and what is said about it."""

import json
import sys
import time

from .registry import LINES, Failed, Skipped

PASSED, FAILED, SKIPPED = "passed", "FAILED", "skipped"


class Result:
    def __init__(self, line, outcome, why=""):
        self.line, self.outcome, self.why = line, outcome, why

    def as_json(self):
        return {"line": self.line.number, "sentence": self.line.sentence, "why": self.why}


def run(server, numbers=None, heard=lambda result: None):
    """The lines in order. An error of the kit's own fails the line: nothing passes by accident."""
    results = []
    for number in sorted(numbers or LINES):
        results.append(result_of(LINES[number], server))
        heard(results[-1])
    return results


def result_of(line, server):
    try:
        line.check(server)
    except Skipped as skipped:
        return Result(line, SKIPPED, str(skipped))
    except Failed as failed:
        return Result(line, FAILED, str(failed))
    except Exception as error:  # noqa: BLE001: an answer nobody thought of
        return Result(line, FAILED, f"{type(error).__name__}: {error}")
    return Result(line, PASSED)


def summary(results):
    """What scripts rely on."""
    of = lambda outcome: [result for result in results if result.outcome == outcome]  # noqa: E731
    return {
        "passed": len(of(PASSED)),
        "total": len(results),
        "failed": [result.as_json() for result in of(FAILED)],
        "skipped": [result.as_json() for result in of(SKIPPED)],
    }


def tell(result):
    """A row for people, as soon as it is known."""
    print(f"{result.line.number:>4}  {result.outcome:<7}  {result.line.sentence}")
    if result.why:
        print(f"               {result.why}")
    sys.stdout.flush()


def tell_summary(results, began):
    told = summary(results)
    failed, skipped = len(told["failed"]), len(told["skipped"])
    seconds = time.monotonic() - began
    print(f"\n{told['passed']} of {told['total']} lines passed, {failed} failed, {skipped} skipped, in {seconds:.0f} s")


def write_json(results):
    print(json.dumps(summary(results), ensure_ascii=False))
