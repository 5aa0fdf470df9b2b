/**
 * The command line that creates the container of one engine, for podman and docker alike. Pure.
 *
 * It is given what a process of ours would have: the network of the machine, so that its listener is where it would be and can be
 * proven to be ours, its cards and no others, its model and nothing else of the disk, no capabilities, and an environment from zero.
 */
import type { LaunchPlan } from '../../engines/adapter.ts';
import type { Answering } from '../../provisioning/container/runtime.ts';
import type { RunFacts } from '../launcher.ts';
import { gateName } from './gate.ts';

export interface ContainerPlan {
  readonly plan: LaunchPlan;
  readonly facts: RunFacts;
  readonly runtime: Pick<Answering, 'name' | 'user'>;
  readonly image: string;
  /** Files and folders that it reads: on the machine, and where it looks for them. */
  readonly reads: readonly { readonly from: string; readonly at: string }[];
  readonly files: { readonly go: string; readonly env: string };
}

/** Pools beside each other have each their own; of one pool no two have the same. */
export const containerName = ({ poolId, incarnation }: Pick<RunFacts, 'poolId' | 'incarnation'>): string =>
  `pool-managerd-${poolId.replaceAll(/[^\w.-]/g, '_')}-${incarnation}`;

/** What processes of one engine share among themselves: NCCL takes a gigabyte or two. */
const sharedMemory = '8g';

/** Its first process waits until it is told to go on, as at the gate of other engines, and ends where nobody can tell it any more. */
const script = (planned: LaunchPlan['env']): string =>
  [
    'pool_managerd_go=$1 pool_managerd_log=$2',
    'shift 2',
    'read -r pool_managerd_word <"$pool_managerd_go" || exit 0',
    `unset ${['PWD', 'OLDPWD', 'SHLVL'].filter((name) => !(name in planned)).join(' ')}`,
    'exec "$@" >>"$pool_managerd_log" 2>&1',
  ].join('\n');

export const createArgv = ({ plan, facts, runtime, image, reads, files }: ContainerPlan): readonly string[] => [
  'create',
  ...['--name', containerName(facts)],
  ...['--label', `pool-managerd.pool=${facts.poolId}`, '--label', `pool-managerd.incarnation=${facts.incarnation}`],
  ...['--pull', 'never', '--network', 'host', '--user', runtime.user],
  // Reaps, and hands on a signal that a first process would be spared.
  '--init',
  ...['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '--security-opt', 'label=disable'],
  ...['--oom-score-adj', '300', '--ulimit', 'core=0', '--shm-size', sharedMemory],
  ...(plan.cpus === undefined ? [] : ['--cpuset-cpus', plan.cpus.join(',')]),
  // It would hand in the proxies of whoever calls it.
  ...(runtime.name === 'podman' ? ['--http-proxy=false'] : []),
  ...['--env-file', files.env],
  ...[...reads, { from: files.go, at: files.go }].flatMap(({ from, at }) => ['--mount', `type=bind,source=${from},target=${at},readonly`]),
  ...['--mount', `type=bind,source=${facts.logFile},target=${facts.logFile}`],
  ...(facts.simulated ? [] : facts.gpus.flatMap(({ uuid }) => ['--device', `nvidia.com/gpu=${uuid}`])),
  ...['--entrypoint', '/bin/sh', image, '-c', script(plan.env), gateName, files.go, facts.logFile],
  plan.executable,
  ...plan.argv,
];

/** PATH and HOME of the machine mean nothing inside: the image has its own, unless the pool says otherwise. */
export const containerEnvironment = ({ env }: LaunchPlan, { spec }: Pick<RunFacts, 'spec'>): Readonly<Record<string, string>> => {
  const { PATH: _path, HOME: _home, ...rest } = env;
  const asked = Object.fromEntries(Object.entries(spec.env).filter(([name]) => name === 'PATH' || name === 'HOME'));
  return { HOME: '/tmp', USER: 'engine', ...rest, ...asked };
};
