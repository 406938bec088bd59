"""Tasks end, also those that lose the first cancellation."""

import asyncio

from roosync_broker.tasks import end


async def test_a_task_that_swallows_cancellations_is_cancelled_again():
    seen = []

    async def deaf():
        while len(seen) < 3:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                seen.append("cancelled")

    async def failing():
        raise ValueError("nobody asks any more")

    tasks = [asyncio.create_task(deaf()), asyncio.create_task(failing()), asyncio.create_task(asyncio.sleep(60))]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end(tasks, again=0.02)
    assert len(seen) == 3
    assert all(task.done() for task in tasks)


async def test_a_task_does_not_wait_for_itself():
    async def own():
        await end([asyncio.current_task()])
        return "done"

    assert await asyncio.create_task(own()) == "done"
