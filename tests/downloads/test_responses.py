from datetime import UTC, datetime

from sigscope.downloads.responses import _retry_after


def test_retry_after_is_a_number_of_seconds_or_a_date():
    now = datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert _retry_after("120") == 120
    assert _retry_after("Wed, 01 May 2024 12:00:30 GMT", now) == 30
    assert _retry_after("Wed, 01 May 2024 11:00:00 GMT", now) == 0
    assert _retry_after("soon") is None and _retry_after("") is None
