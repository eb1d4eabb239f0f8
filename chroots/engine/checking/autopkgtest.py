"""The source package's own tests, by Debian's autopkgtest: each in a fresh buildroot with what was built installed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chroots.engine.checking import sources
from chroots.engine.checking.check import Bench, Finding, Verdict
from chroots.engine.checking.testbed import COMPLETE, NOTING, RUNNING, Ran, Testbed
from chroots.engine.isolation.screen import visible
from debatomic.tools.errors import ToolError

REPORT = "autopkgtest.txt"
MOST = 100  # tests that the facts have
LONGEST = 1 << 20  # characters of what one test said
REPORTED = 32 << 20  # characters of what all of them said
LINE = 500  # characters
PASS, FAIL, SKIP, FLAKY = "PASS", "FAIL", "SKIP", "FLAKY"
RESULT = re.compile(r"^(?P<name>\S+)\s+(?P<word>PASS|FAIL|SKIP|FLAKY)\b[ \t]*(?P<detail>.*)$", re.MULTILINE)
BEGIN, END = re.compile(r": \[-{10,}$"), re.compile(r"autopkgtest .*: -{10,}\]")  # lines around what a test says
UNMET = re.compile(r"^ (\S.* but it is .*)$", re.MULTILINE)  # apt's reasons
NOT_INSTALLED = "skip-not-installable"  # in a first run nothing is
NONE = 8  # autopkgtest's exit status: no tests, or all were skipped
BROKEN = 16  # the testbed failed, and above


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What one test came to: a word of autopkgtest's, why, and the last of what it said."""

    name: str
    word: str
    detail: str
    lines: Sequence[str] = ()

    @property
    def told(self) -> dict[str, str]:
        return {"name": visible(self.name)[:100], "result": self.word, "detail": visible(self.detail)[:200]}


def run(bench: Bench) -> Finding:
    """Fails where a test fails; warns where only flaky ones do; skips where no test could be run."""
    archives = bench.work / "archives"
    (archives / "partial").mkdir(parents=True)
    testbed = Testbed(bench=bench, source=sources.taken(bench), archives=archives)
    found, built = _known(testbed)
    waiting = [each for each in found if each.word != SKIP or NOT_INSTALLED in each.detail]
    names = [""] if built else [each.name for each in waiting]  # a source that is built for its tests is built once
    said, done = _all(bench, testbed, names if waiting else [])
    bench.report(REPORT, "\n".join(said) or "".join(f"{each.name} {each.word} {each.detail}\n" for each in found))
    return judged([done.get(each.name, each) for each in found])


def _all(bench: Bench, testbed: Testbed, names: Sequence[str]) -> tuple[list[str], dict[str, Tested]]:
    """Run these: the end of what each said, and what they came to; a package may have any number of tests."""
    said: list[str] = []
    done: dict[str, Tested] = {}
    share = min(LONGEST, REPORTED // max(1, len(names)))
    for name in names:
        one = _ran(bench, testbed, name)
        done |= {each.name: each for each in results(one)}
        said.append(f"== {name[:LINE] or 'all tests'}\n{one.output[-max(1, share) :]}")
    return said, done


def _known(testbed: Testbed) -> tuple[list[Tested], bool]:
    """The tests there are, with all that they need at hand; and whether the source is built for them."""
    first = _sound(testbed.run(NOTING))
    testbed.fetch(first.wanted)
    if results(first) or first.status == NONE or not first.wanted:
        return _named(first), False
    second = _sound(testbed.run(COMPLETE))
    testbed.fetch(second.wanted)
    return _named(second), True


def _ran(bench: Bench, testbed: Testbed, name: str) -> Ran:
    bench.say(f"Test {name}." if name else "All tests.")
    return _sound(testbed.run(RUNNING, name))


def _sound(ran: Ran) -> Ran:
    """The same. Raises: ToolError where autopkgtest itself does not work."""
    if ran.status >= BROKEN and not results(ran):
        lines = ran.output.splitlines()[-5:]
        raise ToolError(f"autopkgtest exited with status {ran.status}: {lines[-1] if lines else 'nothing said'}",
                        lines=lines)  # fmt: skip
    return ran


def _named(ran: Ran) -> list[Tested]:
    """Its tests; where it says of the whole source that it is erroneous, that."""
    found = results(ran)
    if not found and ran.status != NONE:
        lines = [line for line in ran.output.splitlines() if "badpkg: " in line or "erroneous" in line]
        return [Tested(name="*", word=FAIL, detail=lines[0] if lines else f"exit status {ran.status}", lines=lines)]
    return [each for each in found if each.name != "*"]


def results(ran: Ran) -> list[Tested]:
    """What each test of a run came to, in its order."""
    lines = _telling(ran.output)
    return [Tested(name=match["name"], word=match["word"], detail=match["detail"].strip(), lines=lines)
            for match in RESULT.finditer(ran.summary)]  # fmt: skip


def _telling(output: str) -> list[str]:
    """The last lines of the one test that ran; where none did, what apt says it could not install."""
    texts = _said(output)
    if texts:
        return [line[:LINE] for line in texts[0][-4:]] if len(texts) == 1 else []
    return list(dict.fromkeys(UNMET.findall(output)))


def _said(output: str) -> list[list[str]]:
    """The lines of each test that came to its end; looked at once, whatever a test says."""
    found: list[list[str]] = []
    said: list[str] | None = None
    for line in output.split("\n"):
        if said is None:
            said = [] if BEGIN.search(line) else None
        elif END.fullmatch(line):
            found.append(said)
            said = None
        else:
            said.append(line)
    return found


def judged(tests: Sequence[Tested]) -> Finding:
    """What it means that these tests ended so."""
    counts = Counter(each.word for each in tests)
    facts = {"tests": [each.told for each in tests[:MOST]], **{word.lower(): counts[word] for word in
                                                              (PASS, FAIL, SKIP, FLAKY)}}  # fmt: skip
    lines = [line for word in (FAIL, FLAKY, SKIP) for each in tests if each.word == word for line in _decisive(each)]
    if not tests:
        return Finding(verdict=Verdict.SKIP, summary="The source package has no tests for autopkgtest.", facts=facts)
    words = {PASS: "passed", FAIL: "failed", SKIP: "skipped", FLAKY: "flaky and failed"}
    told = ", ".join(f"{counts[word]} {text}" for word, text in words.items() if counts[word])
    verdict = (Verdict.FAIL if counts[FAIL] else Verdict.WARN if counts[FLAKY]
               else Verdict.PASS if counts[PASS] else Verdict.SKIP)  # fmt: skip
    return Finding(verdict=verdict, summary=f"Of {len(tests)} tests: {told}.", lines=lines, facts=facts)


def _decisive(test: Tested) -> list[str]:
    head = f"{test.name}: {test.word} {test.detail}".strip()
    return [head] if test.word == SKIP else [head, *(f"  {line}" for line in test.lines)]
