# Completion of runner in bash, version 3.2 or later. Once:
#
#     mkdir -p ~/.local/share/bash-completion/completions
#     runner completion bash > ~/.local/share/bash-completion/completions/runner
#
# where the package bash-completion is installed; elsewhere write it to any file, and read that in ~/.bashrc:
#
#     source ~/.runner-completion.bash
#
# For python -m runner, define runner() { python -m runner "$@"; } in ~/.bashrc, and type runner.

_runner() {
    local line=${COMP_LINE:0:COMP_POINT} words word doc current strip="" space=" "
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    current=${words[${#words[@]} - 1]}
    # The shell replaces only what stands after the last = or :, where it takes these for ends of words.
    [[ $COMP_WORDBREAKS == *=* ]] && strip=${current%"${current##*[=:]}"}
    COMPREPLY=()
    while IFS=$'\t' read -r word doc; do
        if [[ $word == / ]]; then
            space=""
            compopt -o filenames 2> /dev/null
            while IFS= read -r word; do
                COMPREPLY+=("$word")
            done < <(compgen -f -- "${current##*=}")
        elif [[ -n $word ]]; then
            [[ $word == *[=.] ]] || word+=$space
            COMPREPLY+=("${word#"$strip"}")
        fi
    done < <("${words[0]/#~\//$HOME/}" completion bash "${words[@]/#/:}" 2> /dev/null)
}

complete -o nospace -F _runner runner
