import { inQuotes } from "../humanize.ts";
import type { CommandText, OptionSpec } from "./command-text.ts";

/** The shells that `culvert completion` knows. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** What every command has, as zsh is told. */
const HELP_OPTION = "--help[show this]";

/** What `--via` takes. */
const ROADS = ["onion", "direct"] as const;

/** One of {@link SHELLS}. */
export type Shell = (typeof SHELLS)[number];

/** The script that makes a shell complete `culvert`, from the same table that parses it. */
export function completionScript(shell: Shell, commands: readonly CommandText[]): string {
  const script = { bash, zsh, fish }[shell];
  return script(commands);
}

function bash(commands: readonly CommandText[]): string {
  const names = namesOf(commands);
  const cases = commands.map((command) => {
    const long = command.options.map(({ flags }) => longFlag(flags)).join(" ");
    return `    ${command.name}) options="${long} --help"; operands="${bashOperands(command)}" ;;`;
  });
  const all = commands.flatMap(({ options }) => options);
  const fileFlags = bashPattern(all.filter(isFile));
  const otherFlags = bashPattern(all.filter((option) => takesValue(option) && !isFile(option)));
  return `# culvert completion bash > ~/.local/share/bash-completion/completions/culvert
_culvert_files() {
  local IFS=$'\\n' # a name may have spaces
  compopt -o filenames # of nothing else: a command is no folder that is called as it is
  COMPREPLY=($(compgen -f -- "$1"))
}
_culvert() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} options operands
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names} help --help --version" -- "$word"))
    return
  fi
  case $word,$before in # --via=onion is three words to bash
    =,*) word= ;;
    *,=) before=\${COMP_WORDS[COMP_CWORD-2]} ;;
  esac
  case $before in
    ${fileFlags}) _culvert_files "$word"; return ;;
    --via) COMPREPLY=($(compgen -W "${ROADS.join(" ")}" -- "$word")); return ;;
    ${otherFlags}) return ;; # a value that only the user knows
  esac
  case \${COMP_WORDS[1]} in
${cases.join("\n")}
    help) operands="${names}" ;;
  esac
  local at past= # behind -- a dash begins no option
  for ((at = 2; at < COMP_CWORD; at++)); do
    [ "\${COMP_WORDS[at]}" = -- ] && past=--
  done
  case $past,$word in
    ,-*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
    *)
      case $operands in
        @files) _culvert_files "$word" ;;
        *) COMPREPLY=($(compgen -W "$operands" -- "$word")) ;;
      esac ;;
  esac
}
complete -F _culvert culvert
`;
}

/** Every spelling of these options, as a pattern of `case`. */
function bashPattern(options: readonly OptionSpec[]): string {
  return [...new Set(options.flatMap(spellings))].join("|");
}

/** `-c` and `--config` of `-c, --config <file>`. */
function spellings({ flags }: OptionSpec): string[] {
  return flags.match(/(?<= |^)-{1,2}[a-z-]+/g) ?? [];
}

function namesOf(commands: readonly CommandText[]): string {
  return commands.map(({ name }) => name).join(" ");
}

function bashOperands(command: CommandText): string {
  if (command.completes === "files") return "@files";
  return command.completes?.join(" ") ?? "";
}

function zsh(commands: readonly CommandText[]): string {
  const names = commands.map(({ name, summary }) => `    ${inQuotes(`${name}:${summary}`)}`);
  const cases = commands.map((command) => {
    const specs = [...command.options.flatMap(zshOptions), HELP_OPTION];
    const options = specs.map((spec) => `        ${inQuotes(spec)}`);
    const operands = `        ${inQuotes(zshOperands(command))}`;
    return `    ${command.name})\n      _arguments \\\n${[...options, operands].join(" \\\n")} ;;`;
  });
  return `#compdef culvert
# culvert completion zsh > "\${fpath[1]}/_culvert"
_culvert() {
  local -a commands=(
${names.join("\n")}
    'help:show the help of a command'
  )
  if (( CURRENT == 2 )); then
    local -a options=('--help:show all commands' '--version:show which version this is')
    _describe command commands -- options
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
    help) _describe command commands ;;
  esac
}
# Loaded by itself it is called for the first word already; sourced it is not.
if [[ $funcstack[1] == _culvert ]]; then
  _culvert "$@"
else
  compdef _culvert culvert
fi
`;
}

/** Every spelling of it, as `_arguments` takes them: with `=` a value may be in the same word. */
function zshOptions(option: OptionSpec): string[] {
  const summary = option.summary.replaceAll("[", "(").replaceAll("]", ")").replaceAll(":", "\\:");
  const value = zshValue(option);
  return spellings(option).map((flag) => {
    const withValue = value !== "" && flag.startsWith("--") ? `${flag}=` : flag;
    return `${withValue}[${summary}]${value}`;
  });
}

function zshValue(option: OptionSpec): string {
  if (!takesValue(option)) return "";
  if (longFlag(option.flags) === "--via") return `:road:(${ROADS.join(" ")})`;
  return isFile(option) ? `:${longFlag(option.flags).slice(2)}:_files` : ":value:";
}

function zshOperands(command: CommandText): string {
  if (command.completes === "files") return "*:file:_files";
  if (command.completes === undefined) return "*: :";
  return `1:operand:(${command.completes.join(" ")})`;
}

function fish(commands: readonly CommandText[]): string {
  const lines = [
    "# culvert completion fish > ~/.config/fish/completions/culvert.fish",
    "function __culvert_is # the first word: a file may be called as another command is",
    "  set -l words (commandline -opc)",
    '  test (count $words) -gt 1; and test "$words[2]" = $argv[1]',
    "end",
    "complete -c culvert -f",
    "complete -c culvert -s h -l help -d 'show this, or the help of a command'",
    "complete -c culvert -n __fish_use_subcommand -s V -l version -d 'show which version this is'",
    "complete -c culvert -n __fish_use_subcommand -a help -d 'show the help of a command'",
    `complete -c culvert -n '__culvert_is help' -a ${inQuotes(namesOf(commands))}`,
  ];
  for (const { name, summary } of commands) {
    lines.push(`complete -c culvert -n __fish_use_subcommand -a ${name} -d ${inQuotes(summary)}`);
  }
  for (const command of commands) {
    const here = `complete -c culvert -n '__culvert_is ${command.name}'`;
    if (command.completes === "files") lines.push(`${here} -F`);
    else if (command.completes !== undefined) {
      lines.push(`${here} -a ${inQuotes(command.completes.join(" "))}`);
    }
    for (const option of command.options) {
      const flags = spellings(option).map((flag) => flag.replace(/^--/, "l ").replace(/^-/, "s "));
      const named = flags.map((flag) => `-${flag}`).join(" ");
      lines.push(`${here} ${named}${fishValue(option)} -d ${inQuotes(option.summary)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function fishValue(option: OptionSpec): string {
  if (!takesValue(option)) return "";
  if (longFlag(option.flags) === "--via") return ` -x -a ${inQuotes(ROADS.join(" "))}`;
  return isFile(option) ? " -r -F" : " -x";
}

function takesValue({ flags }: OptionSpec): boolean {
  return flags.includes("<");
}

function isFile(option: OptionSpec): boolean {
  return /<(file|folder|path)>/.test(option.flags);
}

/** `--map` of `--map <endpoint>`. */
function longFlag(flags: string): string {
  return /--[a-z-]+/.exec(flags)?.[0] ?? "";
}
