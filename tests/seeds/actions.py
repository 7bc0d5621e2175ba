"""The code of the users' page on actions, line by line in Python.

Their free names (`process_image`, what makes a post) stand in the test.
"""

# Their layout is theirs.
# ruff: noqa: RET504
# fmt: off

from __future__ import annotations

from typing import Any

from perdure.actions import DB, Action, ActionContext
from tests.integration.apps.images import make_record, process_image

db, actions = DB({
    'Post': {'title': 'string'},
}, generator=make_record)


# Operations

async def start() -> Action:
    action = await actions.start('generatePosts', {
        'type': 'Post',
        'count': 100,
        'data': {'topic': 'AI trends'},
    })
    return action  # { id: 'action_abc', status: 'pending' }


async def get(action: Action) -> Action | None:
    status = await actions.get(action.id)
    return status  # { status: 'active', progress: 47, total: 100 }


async def lists() -> tuple[list[Action], list[Action], list[Action]]:
    pending = await actions.list(status='pending')
    active = await actions.list(status='active')
    failed = await actions.list(status='failed')
    return pending, active, failed


async def retry(action: Action) -> None:
    await actions.retry(action.id)


async def cancel(action: Action) -> None:
    await actions.cancel(action.id)


async def result(action: Action) -> Any:
    result = await actions.result(action.id)
    return result


# Background Generation

async def background_generation() -> tuple[str, list[Any]]:
    # Start background generation
    action = await db.generate(
        type='Post',
        count=100,
        data={'topic': 'AI trends'},
        mode='background',
    )

    # Check progress
    status = await actions.get(action.id)
    assert status is not None
    shown = f'{status.progress}/{status.total}'

    # Wait for completion
    posts = await actions.result(action.id)
    return shown, posts


# Custom Actions

async def process_images(input: Any, context: ActionContext) -> dict[str, int]:
    images = input['images']

    for i in range(len(images)):
        await process_image(images[i])
        context.progress(i + 1, len(images))

    return {'processed': len(images)}


async def custom_actions() -> Action:
    await actions.define('processImages', process_images)

    # Use it
    action = await actions.start('processImages', {
        'images': ['a.jpg', 'b.jpg', 'c.jpg'],
    })
    return action
