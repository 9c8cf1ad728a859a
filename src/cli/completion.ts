import { EXIT } from './exit.ts';
import { print } from './output.ts';

/** Each asks `lurkbox __complete` with the words of the line, so that none of them has to know a command. */
const SCRIPTS = {
  bash: `# lurkbox for bash. In ~/.bashrc: source <(lurkbox completion bash)
_lurkbox() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :file) compopt -o default ;;
      :folder) compopt -o dirnames ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <(lurkbox __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _lurkbox lurkbox`,
  zsh: `#compdef lurkbox
# lurkbox for zsh. In ~/.zshrc, below compinit: source <(lurkbox completion zsh)
_lurkbox() {
  local line files
  local -a offered
  while IFS= read -r line; do
    case $line in
      :file | :folder) files=$line ;;
      *) offered+=("\${\${line//:/\\\\:}/$'\\t'/:}") ;;
    esac
  done < <(lurkbox __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( $#offered )) && _describe lurkbox offered
  case $files in
    :file) _files ;;
    :folder) _files -/ ;;
  esac
}
if [[ $funcstack[1] == _lurkbox ]]; then _lurkbox "$@"; else compdef _lurkbox lurkbox; fi`,
  fish: `# lurkbox for fish: lurkbox completion fish > ~/.config/fish/completions/lurkbox.fish
function __lurkbox_complete
    set -l current (commandline -ct)
    test (count $current) -eq 0; and set current ''
    set -l words (commandline -opc) $current
    for line in (lurkbox __complete $words[2..-1] 2>/dev/null)
        switch $line
            case :file
                __fish_complete_path $current
            case :folder
                __fish_complete_directories $current
            case '*'
                echo $line
        end
    end
end
complete -c lurkbox -f -a '(__lurkbox_complete)'`,
} as const;

export type Shell = keyof typeof SCRIPTS;

/** The script that has a shell complete the commands, options and plugins of lurkbox. */
export async function completion(shell: Shell): Promise<number> {
  print(SCRIPTS[shell]);
  return EXIT.ok;
}
