"""Of many who ask one after the other, only the latest is answered."""

from __future__ import annotations

import threading

from cleanplate.app.server.latest import Latest


def test_those_that_waited_know_that_one_came_after_them() -> None:
    latest, wanted, entered = Latest(), [], threading.Event()

    def ask() -> None:
        with latest.newest("one") as is_newest:
            wanted.append(is_newest())

    with latest.newest("one") as is_newest:
        assert is_newest()
        waiting = [threading.Thread(target=ask) for _ in range(3)]
        for thread in waiting:
            thread.start()
        while latest._numbers["one"] < 4:
            entered.wait(0.01)
        assert not is_newest()
    for thread in waiting:
        thread.join()
    assert sorted(wanted) == [False, False, True]


def test_a_change_ends_what_is_being_answered_and_nothing_of_another_kind() -> None:
    latest = Latest()
    with latest.newest("one") as is_newest, latest.newest("other") as is_other_newest:
        latest.supersede("one")
        assert not is_newest()
        assert is_other_newest()
