"""A script as the linter sees it: directives, commands, settings of variables.

Commands are found wherever a shell would run them: behind continuation lines, in functions and
substitutions, in text for ``bash -c`` or ``eval``, in here-documents for a shell, and behind
programs that start programs (``srun``, ``env``, ``mpirun``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from tree_sitter import Node

from sunk.toolkit.lint.directives import Directives
from sunk.toolkit.lint.launch import StepOptions, agent, read_step_options
from sunk.toolkit.lint.words import Word


@dataclass(slots=True, frozen=True, kw_only=True)
class Context:
    """Where in a script something stands.

    Attributes:
        background: it, or what it stands in, is followed by ``&``.
        loop: number of the innermost loop, 0 outside.
        function: name of the function, empty outside.
        substitution: its output is taken, or given to another command.
        level: 0 in the file's own text, more in scripts inside it.
    """

    background: bool = False
    loop: int = 0
    function: str = ""
    substitution: bool = False
    level: int = 0


@dataclass(slots=True, frozen=True, kw_only=True)
class HereDocument:
    """Text that a command reads.

    Attributes:
        word: the text; what the shell puts in stands there as parts.
        line: number of its first line.
        quoted: the shell puts nothing in.
    """

    word: Word
    line: int
    quoted: bool


@dataclass(slots=True, eq=False, kw_only=True)
class Command:
    """A command with its arguments.

    Attributes:
        words: the program and its arguments, constants put in.
        name: base name of the program.
        line: counted from 1.
        column: counted from 1.
        node: in the syntax tree.
        context: where it stands.
        parent: the command that starts it, None for one that the batch shell runs itself.
        here: text that it reads.
    """

    words: tuple[Word, ...]
    name: str
    line: int
    column: int
    node: Node
    context: Context
    parent: Command | None = None
    here: HereDocument | None = None
    _step: StepOptions | None = None

    @property
    def arguments(self) -> tuple[Word, ...]:
        """The words behind the program."""
        return self.words[1:]

    @property
    def step(self) -> StepOptions:
        """The options of an srun."""
        if self._step is None:
            self._step = read_step_options(self.words)
        return self._step

    @property
    def agent(self) -> str:
        """Which launcher with workers of its own it is, empty for none."""
        return agent(self.name, self.words)

    def started_by(self, *names: str) -> Command | None:
        """Return the nearest command of these names that starts it."""
        above = self.parent
        while above is not None and above.name not in names:
            above = above.parent
        return above


@dataclass(slots=True, frozen=True, kw_only=True)
class Setting:
    """A variable that gets a value.

    Attributes:
        name: the variable.
        word: its value.
        line: counted from 1.
        column: counted from 1.
        context: where it stands.
        command: the one it is set for alone, None for the shell itself.
        exported: programs see it.
    """

    name: str
    word: Word
    line: int
    column: int
    context: Context
    command: Command | None = None
    exported: bool = True


@dataclass(slots=True, frozen=True, kw_only=True)
class Comment:
    """A comment, and the lines that it speaks of.

    Attributes:
        text: as written.
        line: its own.
        first: first line of the statement beside or below it.
        last: last line of that statement.
    """

    text: str
    line: int
    first: int
    last: int


@dataclass(slots=True, frozen=True, kw_only=True)
class Unparsed:
    """A piece of text that the grammar does not understand.

    Attributes:
        line: its first line.
        column: counted from 1.
        last: its last line.
        text: the piece.
    """

    line: int
    column: int
    last: int
    text: str


@dataclass(eq=False, kw_only=True)
class Script:
    """A script, read.

    Attributes:
        data: its bytes.
        lines: its lines, without line ends.
        interpreter: base name of the program in its first line, empty without one.
        directives: of sbatch.
        commands: in the order of the text.
        settings: in the order of the text.
        comments: in the order of the text.
        unparsed: what could not be read.
        root: of the syntax tree, None when the body is not shell.
        programs: text of Python programs that the script runs, by the word that names them.
    """

    data: bytes
    lines: tuple[str, ...]
    interpreter: str
    directives: Directives
    commands: list[Command] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    unparsed: list[Unparsed] = field(default_factory=list)
    root: Node | None = None
    programs: dict[str, str] = field(default_factory=dict)

    @property
    def is_shell(self) -> bool:
        """Whether the body was read as shell."""
        return self.root is not None

    @cached_property
    def _by_name(self) -> dict[str, list[Command]]:
        found: dict[str, list[Command]] = {}
        for command in self.commands:
            found.setdefault(command.name, []).append(command)
        return found

    @cached_property
    def _settings_by_name(self) -> dict[str, list[Setting]]:
        found: dict[str, list[Setting]] = {}
        for setting in self.settings:
            found.setdefault(setting.name, []).append(setting)
        return found

    def named(self, *names: str) -> Iterator[Command]:
        """Return the commands of these names."""
        for name in names:
            yield from self._by_name.get(name, ())

    @cached_property
    def agents(self) -> tuple[Command, ...]:
        """The launchers with workers of their own."""
        return tuple(command for command in self.commands if command.agent)

    def sets(self, *names: str) -> Iterator[Setting]:
        """Return the settings of these variables."""
        for name in names:
            yield from self._settings_by_name.get(name, ())

    @cached_property
    def variables(self) -> frozenset[str]:
        """Names of all variables that get a value."""
        return frozenset(self._settings_by_name)

    @cached_property
    def text(self) -> str:
        """The whole text."""
        return "\n".join(self.lines)

    def in_background(self, command: Command) -> bool:
        """Return whether the shell goes on while a command runs, also through its function."""
        return command.context.background or any(
            call.context.background for call in self._calls(command.context.function)
        )

    def loops(self, command: Command) -> frozenset[int]:
        """Return the loops that a command stands in, also through its function."""
        found = {command.context.loop}
        found |= {call.context.loop for call in self._calls(command.context.function)}
        return frozenset(found - {0})

    def _calls(self, function: str) -> Iterator[Command]:
        if not function:
            return
        seen, waiting = {function}, [function]
        while waiting:
            for call in self.named(waiting.pop()):
                yield call
                above = call.context.function
                if above and above not in seen:
                    seen.add(above)
                    waiting.append(above)
