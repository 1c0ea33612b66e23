"""Running many requests at once with a bound on how many, and so on memory.

Add helpers here that know asyncio and nothing about HTTP.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def in_order(
    items: Iterable[Item], call: Callable[[Item], Awaitable[Result]], concurrency: int
) -> AsyncGenerator[Result, None]:
    """Results of `call` in the order of `items`, with at most `concurrency` calls or waiting results at a time.

    The first exception ends it; closing the iterator (contextlib.aclosing) cancels what is still running.
    """
    pending: deque[asyncio.Task[Result]] = deque()
    source = iter(items)

    def start_next() -> None:
        for item in source:
            pending.append(asyncio.ensure_future(_awaited(call, item)))
            return

    try:
        for _ in range(concurrency):
            start_next()
        while pending:
            result = await pending[0]
            pending.popleft()
            start_next()
            yield result
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


async def _awaited(call: Callable[[Item], Awaitable[Result]], item: Item) -> Result:
    return await call(item)
