# bash completion for uvirtio
_uvirtio_devices() {
    local path
    for path in /sys/bus/pci/devices/*; do
        [ "$(cat "$path/vendor" 2>/dev/null)" = 0x1af4 ] && basename "$path"
    done
    echo emulated:rng emulated:blk emulated:net emulated:console emulated:balloon emulated:input qemu:rng qemu:blk qemu:net
}

_uvirtio() {
    local cur prev command words i
    # A locator has colons, at which bash would split it.
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref -n : cur prev
    else
        cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}"
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${COMP_WORDS[i]}" in
            list|show|dump|diff|watch|tui|bind|restore|suspend|check|report|serve|bench|doctor) command="${COMP_WORDS[i]}"; break ;;
        esac
    done
    if [ -z "$command" ]; then
        COMPREPLY=($(compgen -W "list show dump diff watch tui bind restore suspend check report serve bench doctor --help --version" -- "$cur"))
        return
    fi
    case "$command:$prev" in
        suspend:--dialect) COMPREPLY=($(compgen -W "auto 1.4 chromium rfc" -- "$cur")); return ;;
        suspend:--workload) COMPREPLY=($(compgen -W "auto none" -- "$cur")); return ;;
        suspend:--peer) COMPREPLY=($(compgen -W "echo none" -- "$cur")); return ;;
        check:--dialect) COMPREPLY=($(compgen -W "auto 1.4 chromium rfc" -- "$cur")); return ;;
        check:--peer) COMPREPLY=($(compgen -W "echo none" -- "$cur")); return ;;
        check:--format) COMPREPLY=($(compgen -W "rich json junit tap markdown html" -- "$cur")); return ;;
        report:--format) COMPREPLY=($(compgen -W "rich json junit tap markdown html" -- "$cur")); return ;;
        *:--from|*:--output|*:-o|*:--trace|*:--socket|*:--log|*:--control|*:--baseline)
            COMPREPLY=($(compgen -f -- "$cur")); return ;;
    esac
    case "$command" in
        list) words="-v --verbose --from --json --help" ;;
        show) words="-v --verbose --intrusive --from --json --help" ;;
        dump) words="-o --output --all --intrusive --from --json --help" ;;
        diff) words="--device --json --help" ;;
        watch) words="--interval --count --from --json --help" ;;
        tui) words="--from --json --help" ;;
        bind) words="--force --dry-run --persist --json --help" ;;
        restore) words="--all --json --help" ;;
        suspend) words="--force --trace --without --dialect --timeout --hold --cycles --workload --scratch --peer --json --help" ;;
        check) words="--force --trace --without --dialect --timeout --hold --only --list --strict --cycles --seed --trigger-command --scratch --peer --provoke --format --output -o --json --help" ;;
        report) words="--format --output -o --json --help" ;;
        serve) words="--socket --profile --fault --latency --delay --seed --set --control --log --once --help" ;;
        bench) words="--force --without --seconds --turns --buffers --baseline --json --help" ;;
        doctor) words="--json --help" ;;
    esac
    if [[ "$cur" == -* ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
    elif [[ "$command" == diff || "$command" == report ]]; then
        COMPREPLY=($(compgen -f -- "$cur"))
    else
        COMPREPLY=($(compgen -W "$(_uvirtio_devices)" -- "$cur"))
        declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions "$cur"
    fi
}
complete -F _uvirtio uvirtio
