"""`fanwise completion`: lets a shell complete command lines of fanwise.

The script that it prints hands the words of the command line to fanwise, which Typer then answers
with one word a line. Nothing of the answer is evaluated by the shell.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from fanwise.cli.text.output import print_results

_VARIABLE = "_FANWISE_COMPLETE"

_SCRIPTS = {
    "bash": """\
_fanwise_completion() {
    # Bash parts a word at each "=" and ":", and replaces the last part alone.
    local IFS=$'\\n' word words=() last=-1
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if [[ last -ge 0 && ( $word == [=:]* || ${words[last]} == *[=:] ) ]]; then
            words[last]+=$word
        else
            words[++last]=$word
        fi
    done
    local start="${words[last]%"${words[last]##*[=:]}"}"
    COMPREPLY=()
    while read -r word; do
        [[ -n $word ]] && COMPREPLY+=("${word#"$start"}")
        [[ $word == *[=/] ]] && compopt -o nospace 2>/dev/null
    done < <(COMP_WORDS="${words[*]}" COMP_CWORD="$last" \\
        _FANWISE_COMPLETE=complete_bash "$1" 2>/dev/null)
}
complete -o default -F _fanwise_completion fanwise
""",
    "zsh": """\
#compdef fanwise
_fanwise() {
    local -a found
    found=("${(@f)$(COMP_WORDS="${(F)words}" COMP_CWORD=$((CURRENT - 1)) \\
        _FANWISE_COMPLETE=complete_bash "${words[1]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then
        compadd -S '' -- "${(@M)found:#*[=/]}"
        compadd -- "${(@)found:#*[=/]}"
    else
        _files
    fi
}
compdef _fanwise fanwise
""",
    "fish": """\
function __fanwise_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l words (string join \\n -- $before $current | string collect)
    set -l found (env COMP_WORDS="$words" COMP_CWORD=(count $before) \\
        _FANWISE_COMPLETE=complete_bash $before[1] 2>/dev/null)
    if test -n "$found"
        printf '%s\\n' $found
    else
        __fish_complete_path $current
    end
end
complete --command fanwise --no-files --arguments '(__fanwise_complete)'
""",
}


class Shell(StrEnum):
    """Shells that complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="The shell: bash, zsh or fish.")],
) -> None:
    """Print a script that lets a shell complete command lines.

    Commands and options are completed, workflows and their parameters, and from the store the
    ids of runs, tasks, workflows and tags. For bash put `source <(fanwise completion bash)` into
    ~/.bashrc, for zsh the same with zsh into ~/.zshrc, below compinit; for fish write it to
    ~/.config/fish/completions/fanwise.fish.
    """
    print_results([_SCRIPTS[shell].rstrip("\n")])


def prepare_completion() -> None:
    """Make ready to answer if it is a shell that asks; else do nothing."""
    if _VARIABLE in os.environ:
        from typer.main import get_install_completion_arguments

        get_install_completion_arguments()  # what Typer knows of shells, it registers here
