# Completion of runner in fish. Once:
#
#     mkdir -p ~/.config/fish/completions
#     runner completion fish > ~/.config/fish/completions/runner.fish
#
# For python -m runner, define a function runner that calls it: function runner; python -m runner $argv; end

function __runner_suggestions
    set -l current (commandline -ct)
    set -l words (commandline -opc) "$current"
    set -l before (string match -r '^.*=' -- "$current")
    for line in ($words[1] completion fish (string replace -r '^' ':' -- $words) 2>/dev/null)
        if test "$line" = /
            for path in (__fish_complete_path (string replace -r '^.*=' '' -- "$current"))
                echo "$before$path"
            end
        else
            echo $line
        end
    end
end

complete -c runner -f -a '(__runner_suggestions)'
