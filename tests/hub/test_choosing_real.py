"""Two real builders: fresh tasks go where the strategy says, and people take turns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hub.site import Site, called, wait

pytestmark = pytest.mark.integration


@pytest.fixture
def two(site: Site) -> Iterator[Site]:
    """Hosts `one` and `two`, with one slot each."""
    builders = [
        site.builder(DEBATOMIC_HOST_NAME=name, DEBATOMIC_STATE=str(site.home / name), DEBATOMIC_CAPACITY="1",
                     DEBATOMIC_GRACE_SECONDS="5")
        for name in ("one", "two")
    ]  # fmt: skip
    wait(lambda: site.ask("Host.objects.alive().count()") == 2, 60, site.output)
    asking = ("idle", "pusher")  # a host is alive before it asks for work
    wait(lambda: all(called(each.pid, words) for each in builders for words in asking), 60, site.output)
    yield site


def test_round_robin_gives_each_its_turn(two: Site) -> None:
    two.ask("Channel.objects.update(strategy='round-robin')")
    for task in range(1, 7):
        [number] = two.ask("submit('true')")
        two.until(number, "completed", seconds=90)
        assert two.ask("Attempt.objects.count()") == task
    hosts = two.ask("list(Attempt.objects.order_by('pk').values_list('host__name', flat=True))")
    assert sorted(hosts) == ["one"] * 3 + ["two"] * 3
    assert hosts[0::2] == [hosts[0]] * 3


def test_one_of_many_submitters_waits_for_one_task_at_most(two: Site) -> None:
    """Thirty tasks of one, then one of another: of those, each host starts one at most before it."""
    two.ask("submit('sleep 0.3', 30, share=1)")
    wait(lambda: two.ask("Task.objects.filter(state='completed').count()") >= 2, 60, two.output)
    [mine] = two.ask("submit('true', share=2)")
    two.until(mine, "completed", seconds=90)
    between = f"started_at__gt=Task.objects.get(pk={mine}).ready_at, pk__lt=Attempt.objects.get(task={mine}).pk"
    assert two.ask(f"Attempt.objects.filter({between}).count()") <= 2
    assert two.ask("Task.objects.filter(state='free').count()") > 15
