"""Bounded concurrency keeps the order, the bound, and leaves nothing running."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing

import pytest

from ghl_payments.transport.concurrency import in_order


@pytest.mark.parametrize("concurrency", [1, 3, 50])
def test_results_come_in_order_and_never_more_than_allowed_at_a_time(concurrency: int) -> None:
    running = most = 0

    async def call(item: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(random.uniform(0, 0.003))
        running -= 1
        return item * 2

    async def main() -> list[int]:
        return [result async for result in in_order(range(20), call, concurrency)]

    assert asyncio.run(main()) == [item * 2 for item in range(20)]
    assert most <= concurrency


def test_the_first_error_ends_it_and_cancels_the_rest() -> None:
    async def call(item: int) -> int:
        if item == 2:
            raise LookupError
        await asyncio.sleep(0 if item < 2 else 60)
        return item

    got: list[int] = []

    async def collect() -> None:
        async with aclosing(in_order(range(9), call, 4)) as results:
            async for result in results:
                got.append(result)

    async def main() -> tuple[list[int], int]:
        with pytest.raises(LookupError):
            await collect()
        return got, len(asyncio.all_tasks()) - 1

    assert asyncio.run(main()) == ([0, 1], 0)
