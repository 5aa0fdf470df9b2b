/**
 * Completion for shells, written from the commands themselves: names, options, and where a pool is meant the ids that the
 * daemon answers. Pure.
 *
 * Install: `source <(pool-managerd completion bash)`, the same for zsh, `pool-managerd completion fish | source`.
 */
import type { Command } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** The command that prints ids of pools, one a line, and nothing where there is no daemon. */
export const idsCommand = 'completion-ids';

export const completionFor = (dialect: Shell, program: Command): string => ({ bash, zsh, fish })[dialect](commandsOf(program));

interface Completed {
  readonly name: string;
  readonly summary: string;
  /** `--wait`, `-f`, without those of every command. */
  readonly options: readonly { readonly flags: readonly string[]; readonly summary: string }[];
  readonly takesPool: boolean;
  readonly takesFile: boolean;
  readonly words: readonly string[];
  /** Of these words those that a file comes behind, such as `check` of `config`. */
  readonly filesBehind: readonly string[];
}

const commandsOf = (program: Command): readonly Completed[] =>
  program.commands
    .filter((command) => command.name() !== idsCommand)
    .map((command) => {
      const [argument] = command.registeredArguments;
      return {
        name: command.name(),
        summary: command.description(),
        options: command.options
          .filter(({ hidden }) => !hidden)
          .map(({ short, long, description }) => ({ flags: [short, long].filter((flag) => flag != null), summary: description })),
        takesPool: argument?.name() === 'id',
        takesFile: argument?.name() === 'file' || argument?.name() === 'model',
        filesBehind: command.commands.filter(({ registeredArguments: [first] }) => first?.name() === 'file').map((child) => child.name()),
        words: [...command.commands.map((child) => child.name()), ...(argument?.argChoices ?? [])],
      };
    });

const optionWords = ({ options }: Completed): string => options.flatMap(({ flags }) => flags).join(' ');

const bash = (commands: readonly Completed[]): string => `# pool-managerd completion for bash
_pool_managerd() {
  local word=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[1]}
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} --help --version' -- "$word"))
    return
  fi
  case $command in
${commands
  .map((command) => {
    const words = [optionWords(command), ...command.words, '--help'].filter((part) => part !== '').join(' ');
    const arguments_ = command.takesPool
      ? `\n      [[ $word == -* ]] || COMPREPLY+=($(compgen -W "$(pool-managerd ${idsCommand} 2>/dev/null)" -- "$word"))`
      : command.takesFile
        ? '\n      [[ $word == -* ]] || COMPREPLY+=($(compgen -f -- "$word"))'
        : command.filesBehind
            .map((word) => `\n      [[ $COMP_CWORD -gt 2 && \${COMP_WORDS[2]} == ${word} && $word != -* ]] && COMPREPLY=($(compgen -f -- "$word"))`)
            .join('');
    return `    ${command.name})\n      COMPREPLY=($(compgen -W '${words}' -- "$word"))${arguments_}\n      ;;`;
  })
  .join('\n')}
  esac
}
complete -o filenames -F _pool_managerd pool-managerd
`;

const zsh = (commands: readonly Completed[]): string => `#compdef pool-managerd
# pool-managerd completion for zsh
_pool_managerd() {
  local -a commands options
  commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case $words[2] in
${commands
  .map((command) => {
    const rows = command.options.flatMap(({ flags, summary }) => flags.map((flag) => quoted(`${flag}:${summary}`)));
    const further = [
      ...(command.words.length === 0 ? [] : [`compadd -- ${command.words.join(' ')}`]),
      ...(command.takesPool ? [`compadd -- \${(f)"$(pool-managerd ${idsCommand} 2>/dev/null)"}`] : []),
      ...(command.takesFile ? ['_files'] : []),
    ];
    return [
      `    ${command.name})`,
      `      options=(${rows.join(' ')})`,
      '      if [[ $words[CURRENT] == -* ]]; then _describe -o option options',
      ...command.filesBehind.map((word) => `      elif (( CURRENT > 3 )) && [[ $words[3] == ${word} ]]; then _files`),
      `      else ${further.length === 0 ? ':' : further.join('; ')}`,
      '      fi',
      '      ;;',
    ].join('\n');
  })
  .join('\n')}
  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _pool_managerd "$@"; else compdef _pool_managerd pool-managerd; fi
`;

const fish = (commands: readonly Completed[]): string =>
  [
    '# pool-managerd completion for fish',
    'complete -c pool-managerd -f',
    ...commands.flatMap((command) => {
      const here = `__fish_seen_subcommand_from ${command.name}`;
      return [
        `complete -c pool-managerd -n __fish_use_subcommand -a ${command.name} -d ${quoted(command.summary)}`,
        ...command.options.map(({ flags, summary }) => {
          const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ');
          return `complete -c pool-managerd -n ${quoted(here)} ${names} -d ${quoted(summary)}`;
        }),
        ...(command.words.length === 0 ? [] : [`complete -c pool-managerd -n ${quoted(here)} -a ${quoted(command.words.join(' '))}`]),
        ...(command.takesPool ? [`complete -c pool-managerd -n ${quoted(here)} -a '(pool-managerd ${idsCommand} 2>/dev/null)'`] : []),
        ...(command.takesFile ? [`complete -c pool-managerd -n ${quoted(here)} -F`] : []),
        ...command.filesBehind.map((word) => `complete -c pool-managerd -n ${quoted(`${here}; and __fish_seen_subcommand_from ${word}`)} -F`),
      ];
    }),
    '',
  ].join('\n');

/** For a shell, in single quotes; what a colon would part in zsh has none in our summaries but the first. */
const quoted = (text: string): string => `'${text.replaceAll("'", '’')}'`;
