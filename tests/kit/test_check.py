"""`perdure check`: each rule finds what it is for, where it is, and leaves alone what is right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent

import pytest

from perdure.checking import RULES, check_paths, check_source
from perdure_runtime.core.errors import InvalidArgumentError

ROOT = Path(__file__).parents[2]
HEAD = """
import asyncio, datetime as d, os, random, secrets, subprocess, threading, time
import socket
from collections.abc import Callable
from datetime import datetime
import httpx, requests
import perdure
from perdure import DurableContext, DurableObject, durable, task

@durable.step
async def step(value: str) -> str: ...

@durable.function
async def other(ctx: DurableContext) -> None: ...
"""

FOUND = {
    "PD101": [
        "datetime.now()",
        "datetime.utcnow()",
        "d.datetime.today()",
        "d.date.today()",
        "time.perf_counter()",
    ],
    "PD102": [
        "time.sleep(1)",
        "requests.get('x')",
        "httpx.AsyncClient()",
        "open('x')",
        "subprocess.run(['x'])",
        "socket.create_connection(('x', 1))",
    ],
    "PD103": [
        "await asyncio.to_thread(print)",
        "await asyncio.get_running_loop().run_in_executor(None, print)",
        "threading.Thread(target=print).start()",
    ],
    "PD104": ["os.environ['x']", "os.getenv('x')"],
    "PD105": ["secrets.token_hex()", "random.SystemRandom()"],
    "PD106": [
        "for x in {1, 2}: pass",
        "[x for x in set(data)]",
        "list(frozenset(data))",
        "s = set(data)\nfor x in s: pass",
    ],
    "PD201": [
        "await ctx.call('s', 'm', {'at': ctx.now()})",
        "at = ctx.now().isoformat()\nawait ctx.call('s', 'm', at)",
        "await step(str(time.time()))",
    ],
    "PD301": ["ctx.call('s', 'm')", "ctx.state.set('a', 1)", "step('x')", "other()"],
    "PD302": [
        "try: pass\nexcept BaseException: pass",
        "try: pass\nexcept: pass",
        "try: pass\nexcept (OSError, asyncio.CancelledError): pass",
    ],
    "PD402": [
        "try: pass\nexcept OSError:\n    await ctx.call('s', 'undo')\n    raise",
        "try: pass\nexcept OSError:\n    await step('undo')\n    raise ValueError",
    ],
}

FINE = [
    "now = ctx.now()\nprint(now)",
    "time.time()",
    "random.random()",
    "await ctx.run('read', lambda: open('x').read())",
    "def read(): return open('x').read()\nawait ctx.run(read)",
    "@durable.step\nasync def inner(): time.sleep(1)",
    "for x in sorted({1, 2}): pass",
    "2 in set(data)",
    "f = ctx.call('s', 'm')\nawait f",
    "ctx.progress(1)",
    "try: pass\nexcept BaseException:\n    raise",
    "try: pass\nexcept Exception: pass",
    "try: pass\nexcept OSError:\n    await ctx.state.set('n', 1)\n    ctx.emit(1)\n    raise",
    "try: pass\nexcept OSError:\n    await ctx.sleep(1)\n    raise",
    "try: pass\nexcept OSError:\n    await ctx.call('s', 'undo')",
    "try: pass\nexcept OSError:\n    ctx.forget(data)\n    await ctx.call('s', 'undo')\n    raise",
]


def body(lines: str, decorator: str = "@durable.flow") -> str:
    return (
        f"{HEAD}\n{decorator}\nasync def job(ctx: DurableContext, data: list) -> None:\n"
        + indent(lines, "    ")
    )


@pytest.mark.parametrize(
    ("rule", "lines"), [(rule, lines) for rule, cases in FOUND.items() for lines in cases]
)
def test_a_rule_finds_it_in_a_body_and_only_there(rule: str, lines: str) -> None:
    assert {rule} == {each.rule for each in check_source(body(lines))}
    assert [] == check_source(f"{HEAD}\nasync def plain(data: list):\n" + indent(lines, "    "))


@pytest.mark.parametrize("lines", FINE)
def test_what_is_right_is_left_alone(lines: str) -> None:
    assert [] == check_source(body(lines))


def test_a_finding_names_file_line_and_column() -> None:
    text = body("x = 1\ny = datetime.now()")
    (found,) = check_source(text, "app.py")
    line = text.splitlines().index("    y = datetime.now()") + 1
    assert str(found).startswith(f"app.py:{line}:9: PD101 datetime.datetime.now() in flow job; ")
    assert "ctx.now()" in found.advice


@pytest.mark.parametrize(
    "comment", ["# perdure: ignore[PD101]", "#perdure: ignore", "# perdure: ignore[PD102, PD101]"]
)
def test_a_comment_silences_a_rule_on_its_line(comment: str) -> None:
    assert [] == check_source(body(f"datetime.now()  {comment}"))
    assert len(check_source(body(f"x = 1  {comment}\ndatetime.now()"))) == 1
    assert len(check_source(body("datetime.now()  # perdure: ignore[PD102]"))) == 1


def test_bodies_that_promise_nothing_are_not_checked_for_determinism() -> None:
    lines = "datetime.now()\nctx.call('s', 'm')"
    for decorator in ("@durable.function(deterministic=False)", "@task"):
        assert ["PD301"] == [each.rule for each in check_source(body(lines, decorator))]


def test_every_way_to_write_a_body_is_seen() -> None:
    for decorator in ("@durable.function", "@durable.function(max_retries=1)", "@durable.flow()"):
        assert len(check_source(body("time.sleep(1)", decorator))) == 1
    text = (
        "import perdure as p\n@p.durable.function\nasync def f(c: p.DurableContext):\n    open('x')"
    )
    assert ["f"] == [each.function for each in check_source(text)]
    branch = HEAD + "\nasync def branch(ctx, item):\n    open('x')\n"
    assert ["branch"] == [each.function for each in check_source(branch)]


METHOD = """
@durable.object{options}
class Order(DurableObject):
    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.items = []

    async def add(self, ctx: DurableContext, item: str) -> None:
        {before}
        await ctx.call("s", "m", item)
        {after}
"""


@pytest.mark.parametrize(
    "change",
    ["self.items.append(item)", "self.n = 1", "self.n += 1", "self.d['a'] = 1", "del self.d['a']"],
)
def test_a_change_of_an_object_before_an_await_is_found(change: str) -> None:
    text = HEAD + METHOD.format(options="", before=change, after="pass")
    assert ["PD401"] == [each.rule for each in check_source(text)]
    text = HEAD + METHOD.format(options="", before="pass", after=change)
    assert [] == check_source(text)
    text = HEAD + METHOD.format(options='(on_error="rollback")', before=change, after="pass")
    assert [] == check_source(text)
    text = HEAD + METHOD.format(
        options="", before=change + "\n        await self.save()", after="pass"
    )
    assert [] == check_source(text)
    text = HEAD + METHOD.format(
        options="", before=change, after="await self.save()\n        await ctx.sleep(1)"
    )
    assert ["PD401"] == [each.rule for each in check_source(text)]


@pytest.mark.parametrize(
    "hint", ["Callable[[], int]", "list[asyncio.Task]", "threading.Lock", "socket.socket | None"]
)
def test_a_hint_that_cannot_travel_is_found(hint: str) -> None:
    text = HEAD + f"\n@durable.function\nasync def f(ctx: DurableContext, x: {hint}) -> None: ...\n"
    assert ["PD202"] == [each.rule for each in check_source(text)]
    text = HEAD + f"\n@durable.function\nasync def f(ctx: DurableContext) -> {hint}: ...\n"
    assert ["PD202"] == [each.rule for each in check_source(text)]


def test_every_rule_has_an_id_of_its_own_and_stands_in_the_documentation() -> None:
    ids = [rule.id for rule in RULES]
    assert ids == sorted(set(ids))
    text = (ROOT / "docs" / "checking.md").read_text(encoding="utf-8")
    for rule in RULES:
        assert f"| {rule.id} | {rule.title} |" in text
    assert {*FOUND, "PD202", "PD401"} == set(ids)


def test_the_examples_of_this_repository_are_clean() -> None:
    assert [] == check_paths([ROOT / "examples"])


def test_a_file_that_is_no_python_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def f(:")
    with pytest.raises(InvalidArgumentError, match=r"broken\.py is no Python"):
        check_paths([tmp_path])
    with pytest.raises(InvalidArgumentError, match="cannot read"):
        check_paths([tmp_path / "missing.py"])


def test_the_command_prints_findings_and_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(dedent(body("datetime.now()")))

    def perdure(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "perdure", "check", "app.py", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert perdure().returncode == 1
    assert perdure().stdout.startswith("app.py:")
    assert json.loads(perdure("-o", "json").stdout)["rule"] == "PD101"
    assert perdure("--ignore", "PD101").returncode == 0
    assert perdure("--ignore", "PD999").returncode == 2
