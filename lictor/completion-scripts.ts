import type { CommandDescription } from './describe-commands.ts';
import { withDescendants } from './describe-commands.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** A script that completes commands, sub-commands and flags of `name` without starting it. */
export function completionScript(shell: Shell, name: string, commands: readonly CommandDescription[]): string {
  if (shell === 'fish') return fish(name, commands);
  const script = bash(name, commands);
  return shell === 'bash'
    ? script
    : `(( $+functions[compdef] )) || { autoload -U +X compinit && compinit }\nautoload -U +X bashcompinit && bashcompinit\n${script}`;
}

/** The words that may follow each command path; '' is the top. */
function wordsByPath(commands: readonly CommandDescription[]): Map<string, { subs: string[]; flags: string[] }> {
  const top = { subs: commands.map((one) => one.path[0]!), flags: ['help', 'version'] };
  const below = commands
    .flatMap(withDescendants)
    .map((one): [string, { subs: string[]; flags: string[] }] => [
      one.path.join(' '),
      { subs: one.children.map((child) => child.path.at(-1)!), flags: [...one.flags.map((flag) => flag.name), 'help'] },
    ]);
  return new Map([['', top], ...below]);
}

function bash(name: string, commands: readonly CommandDescription[]): string {
  const fn = `_${name.replace(/[^A-Za-z0-9]/g, '_')}_complete`;
  const words = [...wordsByPath(commands)];
  const known = words.map(([path]) => `'${path}'`).filter((path) => path !== "''");
  const cases = words.map(([path, { subs, flags }]) => {
    return `    '${path}') subs='${subs.join(' ')}'; flags='${flags.join(' ')}' ;;`;
  });
  // Words before the cursor that are known commands make up the path; flags and values are passed over.
  return `${fn}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path='' next word subs='' flags='' dash i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    next="\${path:+$path }$word"
    case "$next" in
      ${known.join('|')}) path="$next" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=()
  case "$cur" in
    -*)
      dash=-
      [[ "$cur" == --* ]] && dash=--
      COMPREPLY=($(compgen -P "$dash" -W "$flags" -- "\${cur#"$dash"}"))
      ;;
    *) COMPREPLY=($(compgen -W "$subs" -- "$cur")) ;;
  esac
}
complete -o default -F ${fn} ${name}
`;
}

function fish(name: string, commands: readonly CommandDescription[]): string {
  const fn = `__${name.replace(/[^A-Za-z0-9]/g, '_')}_at`;
  const paths = commands.flatMap(withDescendants).map((one) => one.path.join(' '));
  const lines = commands.flatMap((one) => [
    `complete -c ${name} -f -n '${fn} ""' -a ${one.path[0]} -d ${quoted(one.summary)}`,
    ...withDescendants(one).flatMap((each) => fishLines(name, fn, each)),
  ]);
  return `function ${fn}
  set -l path ''
  for word in (commandline -opc)[2..-1]
    set -l next (string trim -- "$path $word")
    contains -- "$next" ${paths.map(quoted).join(' ')}; and set path $next
  end
  test "$path" = "$argv[1]"
end
${lines.join('\n')}
`;
}

function fishLines(name: string, fn: string, one: CommandDescription): string[] {
  const here = `complete -c ${name} -n '${fn} "${one.path.join(' ')}"'`;
  return [
    ...one.children.map((child) => `${here} -f -a ${child.path.at(-1)} -d ${quoted(child.summary)}`),
    ...one.flags.map((flag) => {
      return `${here} -l ${flag.name} -o ${flag.name}${flag.value ? ' -r' : ''} -d ${quoted(flag.text)}`;
    }),
  ];
}

function quoted(text: string): string {
  return `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`;
}
