#compdef runner
# Completion of runner in zsh. Once, into a folder that is in $fpath before compinit is called in ~/.zshrc:
#
#     mkdir -p ~/.zfunc
#     runner completion zsh > ~/.zfunc/_runner
#     # in ~/.zshrc:  fpath=(~/.zfunc $fpath); autoload -Uz compinit && compinit
#
# For python -m runner, define runner() { python -m runner "$@"; } in ~/.zshrc, and type runner.

_runner() {
    local -a typed found open shown open_shown
    local line word files=""
    typed=("${(@)words[1,CURRENT-1]}" "$PREFIX")
    found=("${(@f)$("${words[1]/#\~\//$HOME/}" completion zsh "${(@)typed/#/:}" 2> /dev/null)}")
    local -a finished finished_shown
    for line in "${found[@]}"; do
        word=${line%%$'\t'*}
        case $word in
            "") ;;
            /) files=yes ;;
            *[=.]) open+=("$word"); open_shown+=("$word  ${line#*$'\t'}") ;;
            *) finished+=("$word"); finished_shown+=("$word  ${line#*$'\t'}") ;;
        esac
    done
    (( $#open )) && compadd -l -S "" -d open_shown -a open
    (( $#finished )) && compadd -l -d finished_shown -a finished
    if [[ -n $files ]]; then
        compset -P "*="
        _files
    fi
}

if [[ $funcstack[1] == _runner ]]; then
    _runner "$@"
else
    compdef _runner runner
fi
