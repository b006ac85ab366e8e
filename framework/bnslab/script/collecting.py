"""Scripts as pytest sees them: a file, and a test for each of its cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bnslab.rules import MARK
from bnslab.script.cases import cases
from bnslab.script.parsing import read
from bnslab.script.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bnslab.lab import Lab
    from bnslab.script.cases import Case


class ScriptFile(pytest.File):
    """A file of scenarios."""

    def collect(self) -> Iterator[ScriptTest]:
        """A test for each case. Raises CollectError with the place of the first mistake."""
        from bnslab.errors import LabError

        try:
            found = cases(read(self.path, self.nodeid), self.nodeid, self.path.stem)
        except LabError as error:
            raise self.CollectError(str(error)) from None
        for case in found:
            yield ScriptTest.of(self, case)


class ScriptTest(pytest.Function):
    """One case; a function that takes `lab`, so that fixtures, marks and reports are those of any scenario."""

    case: Case
    runner: Runner | None

    @classmethod
    def of(cls, parent: ScriptFile, case: Case) -> ScriptTest:
        """The test of a case."""

        def scenario(lab: Lab) -> None:
            test.runner = Runner(lab)
            test.runner.run(case.steps)
            test.runner.step = None

        test: ScriptTest = cls.from_parent(parent, name=case.name, callobj=scenario)
        test.case, test.runner = case, None
        test.add_marker(getattr(pytest.mark, MARK)(*case.epochs, **case.rules))
        return test

    def reportinfo(self) -> tuple[Any, int, str]:
        """File, line from 0 on, name."""
        return self.path, self.case.place.line - 1, self.name

    @property
    def place(self) -> str | None:
        """The line that is carried out, `path:line: text`; None before the first and after the last."""
        step = self.runner and self.runner.step
        return f"{self.nodeid.partition('::')[0]}:{step.place.line}: {step.text}" if step else None
