"""What Schemathesis cannot know of errand: values of the document's own formats, and where its two users are."""

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

dates = st.dates().map(lambda day: day.isoformat())
times = st.datetimes().map(lambda time: time.isoformat() + "Z")
frequencies = st.sampled_from(["daily", "weekly", "monthly", "yearly", "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;BYDAY=MO,FR"])
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
words = st.text("abcdefghijklmnopqrstuvwxyzäß0123456789 ", min_size=1, max_size=20).filter(lambda word: word.strip())
tags = st.lists(words, min_size=1, max_size=5).map(",".join)
versions = st.integers(1, 9).map(lambda version: f'"{version}"')

schemathesis.openapi.format("date-or-date-time", dates | times)
schemathesis.openapi.format("recurrence", frequencies)
schemathesis.openapi.format("time-zone", zones)
schemathesis.openapi.format("tags", tags)
schemathesis.openapi.format("entity-tags", versions | st.just("*"))


def among(value, most):
    """Whole numbers become small ones; everything else stays as bad as it is."""
    return value % most + 1 if isinstance(value, int) and not isinstance(value, bool) and value > 0 else value


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """There are two users, and few tasks."""
    for name, most in (("user_id", 2), ("id", 8)):
        if path_parameters and name in path_parameters:
            path_parameters[name] = among(path_parameters[name], most)
    return path_parameters


# Where a schema cannot say what is refused: the code, of the problem or of a fault, and why.
REFUSED_FOR_A_REASON = {
    "precondition-failed": "If-Match names a version that the task has no longer",
    "reused": "the key came with another request before",
    "invalid-cursor": "a cursor is what errand gave before, and opaque",
    "contradiction": "an old and a new name of a parameter, cursor and offset, status and completed: one of them",
    "needs-due-date": "a task that repeats needs a due date",
    "task-is-completed": "a task that is completed cannot repeat",
    "too-common": "a password that is guessed easily",
    "unchanged": "a new password that is the old one",
    "task-not-found": "an operation of a batch on a task that is not there",
    "never-occurs": "a rule and a due date that do not go together",
    "invalid-id": "162.0 is an integer to JSON Schema, and not to errand",
    "too-many-tasks": "as many tasks as one user may have",
}


def allowed(fault):
    # A change needs one member that is known; the schema says only that it needs one.
    nothing_known = fault["code"] == "required" and fault.get("pointer", "").endswith(("#", "/task"))
    return fault["code"] in REFUSED_FOR_A_REASON or nothing_known


def refused_for_a_reason(response):
    problem = response.json()
    return all(map(allowed, problem.get("errors") or [problem]))


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Drops what is no failure, for the reasons above, and one that is the contract's."""
    if isinstance(failure, RejectedPositiveData):
        return not refused_for_a_reason(response)
    if isinstance(failure, AcceptedNegativeData):
        # The old name counts if both are sent; whatever the new one holds is not looked at.
        body = case.body if isinstance(case.body, dict) else {}
        return not {"recurrence", "recursion_pattern"} <= set(body)
    return True
