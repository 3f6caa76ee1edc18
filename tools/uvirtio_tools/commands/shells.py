"""Completions for bash, zsh and fish: commands, options and what may stand behind them, and this machine's devices."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from uvirtio.bus.qemu.command import TYPES as QEMU_TYPES
from uvirtio.emulated.faults import FAULTS
from uvirtio.emulated.profiles import PROFILES
from uvirtio.emulated.types import DESCRIBED, MODELLED
from uvirtio.spec.features import Feature
from uvirtio.spec.ids import VENDOR
from uvirtio.spec.statements import STATEMENTS

from ..cli import COMMANDS
from .table import Command, Option, commands

__all__ = ["SHELLS", "bash_completion", "fish_completion", "zsh_completion"]

#: What may stand for a value, by the name that the help gives it, where the parser itself does not choose.
_WORDS = {
    "TYPE": (*MODELLED, *DESCRIBED),
    "P": tuple(PROFILES),
    "F": tuple(FAULTS),
    "IDS": tuple(STATEMENTS),
    "FEATURE": tuple(Feature.__members__),
}
_FILES = frozenset({"FILE", "PATH", "A", "B", "RESULT"})
_DEVICES = frozenset({"LOCATOR"})
#: Devices of this machine alone.
_FUNCTIONS = frozenset({"DEVICE"})
_LOCATORS = (*(f"emulated:{name}" for name in MODELLED), *(f"qemu:{name}" for name in QEMU_TYPES))


def _words(option: Option) -> tuple[str, ...]:
    return option.choices or _WORDS.get(option.value, ())


# -- bash --------------------------------------------------------------------------------------------------------------


def _bash_action(option: Option) -> str:
    """The statement that suggests a value; empty where nothing can be suggested."""
    if words := _words(option):
        return f'_uvirtio_words "{" ".join(words)}"'
    if option.value in _FILES:
        return "_uvirtio_files"
    if option.value in _DEVICES:
        return '_uvirtio_words "$(_uvirtio_functions) $_uvirtio_locators"'
    if option.value in _FUNCTIONS:
        return '_uvirtio_words "$(_uvirtio_functions)"'
    return ":"


def _bash_values(command: Command) -> Iterator[str]:
    """A case for each option that takes a value: what may follow it."""
    for option in command.options:
        if option.value:
            pattern = "|".join(f"{command.name}:{flag}" for flag in option.flags)
            yield f"        {pattern}) {_bash_action(option)} ;;"


def _bash_command(command: Command) -> str:
    """The cases of a command: its options, and its arguments."""
    flags = " ".join([*(flag for option in command.options for flag in option.flags), "--help"])
    arguments = "; ".join(dict.fromkeys(map(_bash_action, command.arguments))) or ":"
    return f'        {command.name}:-*) _uvirtio_words "{flags}" ;;\n        {command.name}:*) {arguments} ;;'


#: The completion for bash; what stands between @ is filled in.
_BASH = r"""# bash completion for uvirtio
_uvirtio_locators="@LOCATORS@"

_uvirtio_functions() {
    local path
    for path in /sys/bus/pci/devices/*; do
        [ "$(cat "$path/vendor" 2>/dev/null)" = @VENDOR@ ] && basename "$path"
    done
}

_uvirtio_words() {
    COMPREPLY+=($(compgen -W "$1" -- "$cur"))
}

_uvirtio_files() {
    local IFS=$'\n'
    compopt -o filenames
    COMPREPLY+=($(compgen -f -- "$cur"))
}

_uvirtio() {
    # bash splits words at the colons of locators and at =, so the line is looked at instead.
    local line="${COMP_LINE:0:COMP_POINT}" typed cur prev command word
    COMPREPLY=()
    read -ra typed <<<"$line"
    [[ $line == *[[:space:]] ]] && typed+=("")
    cur="${typed[-1]}" prev="${typed[-2]}"
    if [[ $cur == --*=* ]]; then
        prev="${cur%%=*}" cur="${cur#*=}"
    fi
    for word in "${typed[@]:1:${#typed[@]}-2}"; do
        case "$word" in
            @PATTERN@) command="$word"; break ;;
        esac
    done
    case "$command:$prev" in
        :*) _uvirtio_words "@COMMANDS@ --help --version" ;;
@VALUES@
        *) _uvirtio_arguments "$command:$cur" ;;
    esac
    if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
        # What stands before the last colon is a word of its own for bash, and stays as it is.
        COMPREPLY=("${COMPREPLY[@]#"${cur%:*}:"}")
    fi
}

_uvirtio_arguments() {
    case "$1" in
@CASES@
    esac
}

complete -F _uvirtio uvirtio
"""


def bash_completion() -> str:
    """A completion for bash 4.3 or newer, with or without the package bash-completion."""
    described = list(commands())
    values = "\n".join(line for command in described for line in _bash_values(command))
    cases = "\n".join(map(_bash_command, described))
    filled = {
        "LOCATORS": " ".join(_LOCATORS), "VENDOR": f"{VENDOR:#06x}", "COMMANDS": " ".join(COMMANDS),
        "PATTERN": "|".join(COMMANDS), "VALUES": values, "CASES": cases,
    }  # fmt: skip
    return re.sub("@([A-Z]+)@", lambda match: filled[match[1]], _BASH)


# -- zsh ---------------------------------------------------------------------------------------------------------------


def _zsh(text: str) -> str:
    """A description inside of single quotes and brackets."""
    return re.sub(r"([\[\]:\\])", r"\\\1", text).replace("'", "'\\''")


def _zsh_action(option: Option) -> str:
    if words := _words(option):
        return f"({' '.join(words)})"
    if option.value in _FILES:
        return "_files"
    if option.value in _DEVICES:
        return "_uvirtio_devices"
    return "_uvirtio_functions" if option.value in _FUNCTIONS else " "


def _zsh_option(option: Option) -> Iterator[str]:
    """What ``_arguments`` is told of an option, a word for each of its names."""
    others = "*" if option.repeats else f"({' '.join(option.flags)})" if len(option.flags) > 1 else ""
    value = f":{_zsh(option.value.strip('{}'))}:{_zsh_action(option)}" if option.value else ""
    for flag in option.flags:
        joined = "=" if value and flag.startswith("--") else ""
        yield f"'{others}{flag}{joined}[{_zsh(option.help)}]{value}'"


def _zsh_command(command: Command) -> str:
    specs = [spec for option in command.options for spec in _zsh_option(option)]
    specs.append("'(- *)--help[a help text]'")
    for argument in command.arguments:
        name = _zsh(argument.value.strip("{}").lower())
        specs.append(f"'{'*' if argument.repeats else ''}:{name}:{_zsh_action(argument)}'")
    body = " \\\n                ".join(specs)
    return f"            {command.name}) _arguments \\\n                {body} ;;"


def zsh_completion() -> str:
    """A completion for zsh, to be put on ``fpath`` as ``_uvirtio``."""
    found = list(commands())
    described = "\n".join(f"        '{command.name}:{_zsh(command.help)}'" for command in found)
    cases = "\n".join(map(_zsh_command, found))
    return f"""#compdef uvirtio
# zsh completion for uvirtio
_uvirtio_functions() {{
    local -a functions
    local directory
    for directory in /sys/bus/pci/devices/*(N); do
        [[ "$(<$directory/vendor)" == {VENDOR:#06x} ]] && functions+=("${{directory:t}}")
    done
    compadd -a functions
}}

_uvirtio_devices() {{
    _uvirtio_functions
    compadd {" ".join(_LOCATORS)}
}}

_uvirtio() {{
    local context state state_descr line
    local -A opt_args
    local -a described
    described=(
{described}
    )
    _arguments -C '--version[the version]' '--help[a help text]' '1:command:->command' '*::argument:->argument'
    case $state in
        command) _describe command described ;;
        argument)
            case $words[1] in
{cases}
            esac ;;
    esac
}}

_uvirtio "$@"
"""


# -- fish --------------------------------------------------------------------------------------------------------------


def _fish(text: str) -> str:
    """A word inside of single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish_values(option: Option) -> str:
    """What may follow, as the options of ``complete``."""
    if words := _words(option):
        return f" -xa {_fish(' '.join(words))}"
    if option.value in _FILES:
        return " -rF"
    if option.value in _DEVICES:
        return " -xa '(__uvirtio_functions) (__uvirtio_locators)'"
    return " -xa '(__uvirtio_functions)'" if option.value in _FUNCTIONS else " -x"


def _fish_command(command: Command) -> Iterator[str]:
    where = f"complete -c uvirtio -n '__fish_seen_subcommand_from {command.name}'"
    for option in command.options:
        names = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags)
        yield f"{where} {names} -d {_fish(option.help)}{_fish_values(option) if option.value else ''}"
    for argument in command.arguments:
        values = _fish_values(argument)
        yield f"{where}{' -F' if values == ' -rF' else values.replace(' -x', ' -', 1) if values != ' -x' else ''}"


def fish_completion() -> str:
    """A completion for fish 3 or newer, to be sourced or put into its ``completions``."""
    found = list(commands())
    lines = [
        "# fish completion for uvirtio",
        "function __uvirtio_functions",
        "    for directory in /sys/bus/pci/devices/*",
        f"        test (cat $directory/vendor) = {VENDOR:#06x}; and basename $directory",
        "    end",
        "end",
        "function __uvirtio_locators",
        f"    printf '%s\\n' {' '.join(_LOCATORS)}",
        "end",
        "complete -c uvirtio -f",
        *(
            f"complete -c uvirtio -n __fish_use_subcommand -a {command.name} -d {_fish(command.help)}"
            for command in found
        ),
        *(line for command in found for line in _fish_command(command)),
    ]
    return "\n".join(lines) + "\n"


#: Shell -> what makes its completion.
SHELLS: dict[str, Callable[[], str]] = {"bash": bash_completion, "zsh": zsh_completion, "fish": fish_completion}
