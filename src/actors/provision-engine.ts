/**
 * Finds the engine's executable and asks it for version and flags. Fetches and builds nothing: this version knows
 * `provisioning.mode: external` only. Undo: a question under way is given up.
 */
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { fromPromise } from 'xstate';
import { CauseError, causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { EngineAdapter } from '../engines/adapter.ts';
import { adapterFor } from '../engines/index.ts';
import type { Failure, poolActors } from '../machines/pool/actors.ts';
import type { EnginePresent, PoolSpec, Stamp } from '../machines/vocabulary.ts';
import { askExecutable } from './launch/ask-executable.ts';
import { engineMissing, whyNotExecutable } from './launch/executable.ts';

export interface ProvisionEngineDeps {
  /** Folder of the pools file: relative paths begin here. */
  readonly baseDir: string;
  /** Where executables are looked for; default: PATH. */
  readonly path?: string;
  readonly askDeadlineMs?: number;
}

const defaultAskDeadlineMs = 10_000;

export const provisionEngine = (deps: ProvisionEngineDeps): typeof poolActors.provisionEngine => {
  const ask = askExecutable({ deadlineMs: deps.askDeadlineMs ?? defaultAskDeadlineMs });
  return fromPromise<EnginePresent & Stamp, { readonly spec: PoolSpec }>(async ({ input: { spec }, signal }) => {
    try {
      const adapter = adapterFor(spec.engine);
      const executable = await findExecutable(spec, adapter, deps);
      return { executable, ...(await ask(executable, adapter, engineEnvironment(), signal)), ...stamp() };
    } catch (thrown) {
      throw { cause: causeOf(thrown, 'engine_missing'), ...stamp() } satisfies Failure;
    }
  });
};

const findExecutable = async (spec: PoolSpec, adapter: EngineAdapter, { baseDir, path }: ProvisionEngineDeps): Promise<string> => {
  if (spec.provisioning.mode !== 'external') {
    throw new CauseError({
      code: 'engine_incompatible',
      message: `this version only knows provisioning.mode external, found ${spec.provisioning.mode}; install the engine and set \`provisioning.executable\``,
      details: { mode: spec.provisioning.mode },
    });
  }
  const { executable } = spec.provisioning;
  return executable === null ? onPath(adapter, path ?? process.env['PATH'] ?? '') : named(executable, baseDir, path ?? process.env['PATH'] ?? '');
};

/** A bare name is looked for on the PATH, as a shell would. */
const named = async (executable: string, baseDir: string, path: string): Promise<string> => {
  if (!executable.includes('/')) return firstOn(path, [executable]);
  const absolute = resolve(baseDir, executable);
  const problem = await whyNotExecutable(absolute);
  if (problem !== null) throw new CauseError(engineMissing(absolute, problem));
  return absolute;
};

const onPath = (adapter: EngineAdapter, path: string): Promise<string> => {
  if (adapter.executables.length > 0) return firstOn(path, adapter.executables);
  throw new CauseError({
    code: 'engine_missing',
    message: `expected \`provisioning.executable\`, since the engine ${adapter.name} has no name to look for on the PATH, found none`,
  });
};

const firstOn = async (path: string, names: readonly string[]): Promise<string> => {
  const dirs = path.split(delimiter).filter(isAbsolute);
  for (const candidate of dirs.flatMap((dir) => names.map((name) => join(dir, name)))) {
    if ((await whyNotExecutable(candidate)) === null) return candidate;
  }
  throw new CauseError({
    code: 'engine_missing',
    message: `expected ${names.join(' or ')} on the PATH (${dirs.join(delimiter)}), found none; install it or set \`provisioning.executable\``,
    details: { names, path: dirs },
  });
};

/** To be asked, an engine needs no card and must touch none. */
const engineEnvironment = (): Readonly<Record<string, string>> => ({
  PATH: '/usr/local/bin:/usr/bin:/bin',
  HOME: homedir(),
  LANG: 'C.UTF-8',
  CUDA_VISIBLE_DEVICES: '',
});
