/**
 * A fake `nvidia-smi` on a private PATH, told by a scenario file what cards there are and how to misbehave. It is a real
 * executable in a real child process; only the driver behind it is missing.
 */
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gpuFields } from '../../src/gpu/parse-csv.ts';
import { answerOf } from './nvidia-smi-answer.ts';

export interface FakeCard {
  readonly uuid?: string;
  readonly name?: string;
  readonly totalMiB?: number;
  readonly usedMiB?: number;
  /** What the driver keeps for itself and counts neither as used nor as free. */
  readonly reservedMiB?: number;
  /** Listed by `--query-compute-apps`. */
  readonly processes?: readonly { readonly pid: number; readonly usedMiB: number | string }[];
  /** Listed by `-q -x` only. */
  readonly graphics?: readonly { readonly pid: number; readonly usedMiB: number }[];
  /** CSV cells that replace the made-up ones: `{'power.draw': '[N/A]'}`. */
  readonly cells?: Readonly<Record<string, string>>;
  /** Elements that `-q -x` says besides. */
  readonly xml?: string;
  readonly mig?: readonly { readonly uuid: string; readonly profile: string; readonly gi: number; readonly ci: number; readonly totalMiB: number }[];
}

export interface Scenario {
  readonly cards: readonly FakeCard[];
  /** Fields that this driver does not know. */
  readonly unknownFields?: readonly string[];
  /** `ignore_term`: never ends, SIGTERM is ignored. `stop`: SIGSTOPs itself. `pipe`: ends, leaving its pipe to a child. */
  readonly hang?: 'ignore_term' | 'stop' | 'pipe';
  readonly exitCode?: number;
  /** Printed before anything else. */
  readonly message?: string;
  /** Nothing but the message. */
  readonly silent?: boolean;
  readonly outputBytes?: number;
}

export interface FakeNvidiaSmi {
  readonly dir: string;
  /** PATH that holds the fake and nothing else that is called nvidia-smi. */
  readonly env: Readonly<Record<string, string>>;
  play(scenario: Scenario): Promise<void>;
  /** One line for each run: pid, then its arguments. */
  runs(): Promise<readonly { readonly pid: number; readonly argv: string }[]>;
  remove(): Promise<void>;
}

export const fakeNvidiaSmi = async (scenario: Scenario): Promise<FakeNvidiaSmi> => {
  const dir = await mkdtemp(join(tmpdir(), 'fake-nvidia-smi-'));
  await writeFile(join(dir, 'nvidia-smi'), shell(process.execPath));
  await chmod(join(dir, 'nvidia-smi'), 0o755);
  await writeFile(join(dir, 'runs'), '');
  let plays = 0;
  const play = async (next: Scenario): Promise<void> => {
    plays += 1;
    const answers = join(dir, `answers-${plays}`);
    await mkdir(answers);
    for (const [name, argv] of Object.entries(usual)) {
      const { text, exitCode } = answerOf(next, argv);
      await writeFile(join(answers, name), text);
      await writeFile(join(answers, `${name}.code`), `${exitCode}\n`);
    }
    await writeFile(join(dir, 'hang'), `${next.hang ?? 'no'}\n`);
    await writeFile(join(dir, 'scenario.tmp'), JSON.stringify(next));
    await rename(join(dir, 'scenario.tmp'), join(dir, 'scenario.json'));
    await writeFile(join(dir, 'answers.tmp'), `${answers}\n`);
    await rename(join(dir, 'answers.tmp'), join(dir, 'answers'));
  };
  await play(scenario);
  return {
    dir,
    env: { PATH: [dir, dirname(process.execPath), '/usr/bin', '/bin'].join(':') },
    play,
    runs: async () => {
      const lines = (await readFile(join(dir, 'runs'), 'utf8')).split('\n').filter((line) => line !== '');
      return lines.map((line) => ({ pid: Number(line.split(' ')[0]), argv: line.split(' ').slice(1).join(' ') }));
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  };
};

export const uuidOf = (index: number): string => `GPU-0000000${index}-aaaa-bbbb-cccc-00000000000${index}`;

/** What the daemon asks a driver that knows all its fields: answered at once, without a Node of its own. */
const usual: Readonly<Record<string, readonly string[]>> = {
  gpus: [`--query-gpu=${gpuFields.join(',')}`, '--format=csv,noheader,nounits'],
  apps: ['--query-compute-apps=gpu_uuid,pid,used_memory', '--format=csv,noheader,nounits'],
  detail: ['-q', '-x'],
  list: ['-L'],
  table: [],
};

/** The same driver for where there is neither Node nor a folder to write to: always this scenario, and no `--loop-ms`. */
export const stillNvidiaSmi = (scenario: Scenario): string => {
  const cases = Object.values(usual).map((argv) => {
    const { text, exitCode } = answerOf(scenario, argv);
    return `'${argv.join(' ')}') cat <<'END'\n${text}END\nexit ${exitCode} ;;`;
  });
  return `#!/bin/sh\ncase "$*" in\n${cases.join('\n')}\n*) echo "Invalid combination of input arguments." >&2; exit 2 ;;\nesac\n`;
};

/** Hangs before anything slow is started, so that a deadline never meets a child that is only half up. */
const shell = (node: string): string => `#!/bin/sh
dir=\${0%/*}
echo "$$ $*" >> "$dir/runs"
asked="$*"
pause=
case "$asked" in
  *' --loop-ms='*) ms=\${asked##*=}; asked=\${asked% --loop-ms=*}; pause=$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000))) ;;
esac
while :; do
read -r hang < "$dir/hang"
case "$hang" in
  ignore_term) trap '' TERM; exec sleep 1000 ;;
  stop) kill -STOP $$; exec sleep 1000 ;;
  pipe) sleep 3 & ;;
esac
read -r answers < "$dir/answers"
case "$asked" in
${Object.entries(usual)
  .map(([name, argv]) => `  '${argv.join(' ')}') said="$answers/${name}" ;;`)
  .join('\n')}
  *) said= ;;
esac
if [ -f "$said" ]; then
  read -r code < "$said.code"
  [ "$code$pause" = 0 ] && exec cat "$said"
  cat "$said"
  [ "$code" = 0 ] || exit "$code"
elif [ -n "$pause" ]; then
  ${node} "${join(import.meta.dirname, 'nvidia-smi-answer.ts')}" "$dir" $asked || exit
fi
[ -n "$pause" ] || break
sleep "$pause"
done
exec ${node} "${join(import.meta.dirname, 'nvidia-smi-answer.ts')}" "$dir" "$@"
`;
