"""The changes: every small one that can be made to a source file, found in its syntax tree, and made there."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["MODULE", "ROOT", "Mutant", "changed", "mutants"]

ROOT = Path(__file__).parents[2]
#: The function of what stands outside every function.
MODULE = "<module>"

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_OPERATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
}  # fmt: skip
_NAMED = {"any": "all", "all": "any", "min": "max", "max": "min"}
#: What a condition is negated by otherwise.
_NEGATED_OTHERWISE = (ast.BoolOp, ast.Constant)


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """One change, known again as long as its line is: ``nth`` tells the same change apart where a line has it twice."""

    file: str
    function: str
    line: str
    change: str
    nth: int = 0
    #: Where it is today, for people.
    number: int = field(default=0, compare=False)

    @property
    def module(self) -> str:
        """The name that the file is imported by."""
        return self.file.removeprefix("drivers/").removeprefix("tools/").removesuffix(".py").replace("/", ".")

    def __str__(self) -> str:
        nth = f" (no. {self.nth + 1})" if self.nth else ""
        return f"{self.file}:{self.number} {self.function}: {self.line}   [{self.change}]{nth}"


#: The node that is changed, what is done to the tree, and that in words.
_Change = tuple[ast.AST, Callable[[], None], str]


def mutants(file: str, leave: Callable[[ast.AST], bool] = lambda node: False) -> list[Mutant]:
    """Every change that can be made to a file below :data:`ROOT`. ``leave``: nodes in which nothing is changed."""
    return [mutant for mutant, _ in _found(file, ast.parse(_text(file)), leave)]


def changed(mutant: Mutant) -> ast.Module:
    """The syntax tree of the file with this one change. Raises LookupError where it cannot be made any more."""
    tree = ast.parse(_text(mutant.file))
    for each, make in _found(mutant.file, tree, lambda node: False):
        if each == mutant:
            make()
            return ast.fix_missing_locations(tree)
    raise LookupError(f"there is no such change any more: {mutant}")


def _text(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def _found(
    file: str, tree: ast.Module, leave: Callable[[ast.AST], bool]
) -> Iterator[tuple[Mutant, Callable[[], None]]]:
    lines = _text(file).splitlines()
    count: Counter[Mutant] = Counter()
    left: set[int] = set()
    for function, node, parents in _nodes(tree, MODULE, ()):
        if id(node) in left or any(id(parent) in left for parent in parents) or leave(node):
            # Counted all the same: what is left out must not renumber the others.
            left.add(id(node))
        for at, make, words in _changes(node):
            number = getattr(at, "lineno", 0)
            mutant = Mutant(file, function, lines[number - 1].strip(), words, 0, number)
            nth, count[mutant] = count[mutant], count[mutant] + 1
            if id(node) not in left and not leave(at):
                yield Mutant(file, function, mutant.line, words, nth, number), make


def _nodes(
    node: ast.AST, function: str, parents: tuple[ast.AST, ...]
) -> Iterator[tuple[str, ast.AST, tuple[ast.AST, ...]]]:
    """All that runs, with the function or class that it is in; no annotations, no documentation, no protocols."""
    yield function, node, parents
    parents = (*parents, node)
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_comment", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_for_types(child):
                continue
            inner = function
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = child.name if function == MODULE else f"{function}.{child.name}"
            yield from _nodes(child, inner, parents)


def _is_for_types(node: ast.AST) -> bool:
    if isinstance(node, ast.ClassDef):
        return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("__all__", "__slots__")


def _changes(node: ast.AST) -> Iterator[_Change]:
    yield from _conditions(node)
    yield from _operators(node)
    yield from _values(node)
    yield from _statements(node)


def _conditions(node: ast.AST) -> Iterator[_Change]:
    if isinstance(node, ast.If | ast.While | ast.IfExp) and not isinstance(node.test, _NEGATED_OTHERWISE):
        if not isinstance(node.test, ast.Compare | ast.UnaryOp):
            yield _put(node, "test", ast.UnaryOp(ast.Not(), node.test), node.test)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inside = node.operand
        yield node, lambda: _become(node, ast.Call(ast.Name("bool", ast.Load()), [inside], [])), _words(node, inside)
    elif isinstance(node, ast.BoolOp):
        other = ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        yield node, lambda: _become(node, other), _words(node, other)
    elif isinstance(node, ast.Compare):
        for position, operator in enumerate(node.ops):
            ops = list(node.ops)
            ops[position] = _COMPARED[type(operator)]()
            yield _put(node, "ops", ops, node)


def _operators(node: ast.AST) -> Iterator[_Change]:
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _OPERATED:
        if isinstance(node.op, ast.Mod | ast.Add | ast.Mult) and _is_text(node):
            return
        yield _put(node, "op", _OPERATED[type(node.op)](), node)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _NAMED:
        yield _put(node, "func", ast.Name(_NAMED[node.func.id], ast.Load()), node)


def _is_text(node: ast.AST) -> bool:
    return any(
        isinstance(each, ast.JoinedStr | ast.List | ast.Tuple)
        or (isinstance(each, ast.Constant) and isinstance(each.value, str | bytes))
        for each in ast.walk(node)
    )


def _values(node: ast.AST) -> Iterator[_Change]:
    if not isinstance(node, ast.Constant):
        return
    if isinstance(node.value, bool):
        yield _put(node, "value", not node.value, node)
    elif isinstance(node.value, int):
        yield _put(node, "value", node.value + 1, node)
        if node.value > 0:
            yield _put(node, "value", node.value - 1, node)


def _statements(node: ast.AST) -> Iterator[_Change]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if not isinstance(block, list):
            continue
        for position, statement in enumerate(block):
            if _can_go(statement, node):
                yield (
                    statement, lambda block=block, position=position: block.__setitem__(position, ast.Pass()),  # type: ignore[misc]
                    f"without: {_short(statement)}",
                )  # fmt: skip


def _can_go(statement: ast.AST, parent: ast.AST) -> bool:
    """Calls, attributes and elements that are set, ways out; a name that is never set would only be a mistake."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call | ast.Yield | ast.YieldFrom)
    if isinstance(statement, ast.Assign):
        return not isinstance(parent, ast.Module | ast.ClassDef) and all(
            isinstance(target, ast.Attribute | ast.Subscript) for target in statement.targets
        )
    if isinstance(statement, ast.Return):
        return isinstance(parent, ast.If) and (statement.value is None or isinstance(statement.value, ast.Constant))
    return isinstance(statement, ast.AugAssign | ast.Raise | ast.Continue | ast.Break | ast.Delete)


def _put(node: ast.AST, name: str, value: object, shown: ast.AST) -> _Change:
    """One field of a node gets another value; in words: what ``shown`` is before and after."""
    before = getattr(node, name)
    old = ast.unparse(shown)
    setattr(node, name, value)
    new = ast.unparse(getattr(node, name) if shown is before else shown)
    setattr(node, name, before)
    return shown, lambda: setattr(node, name, value), f"{_cut(old)} -> {_cut(new)}"


def _become(node: ast.AST, other: ast.AST) -> None:
    where = {name: getattr(node, name) for name in node._attributes}
    node.__class__ = other.__class__  # type: ignore[assignment]
    node.__dict__.clear()
    node.__dict__.update(other.__dict__ | where)


def _words(old: ast.AST, new: ast.AST) -> str:
    return f"{_cut(ast.unparse(old))} -> {_cut(ast.unparse(new))}"


def _short(node: ast.AST) -> str:
    return _cut(ast.unparse(node))


def _cut(text: str, most: int = 90) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3] + "..."
