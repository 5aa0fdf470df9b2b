/**
 * Makes the engine of a pool present: found on the machine, or installed, and asked for version and flags.
 * Undo: what is under way is given up, and gone on with by whoever asks next.
 */
import { fromPromise } from 'xstate';
import { causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import { adapterFor } from '../engines/index.ts';
import type { Failure, poolActors } from '../machines/pool/actors.ts';
import type { EnginePresent, PoolSpec, Stamp } from '../machines/vocabulary.ts';
import { findExecutable } from '../provisioning/engines/on-machine.ts';
import type { Provisioning } from '../provisioning/provisioning.ts';
import { askExecutable } from '../provisioning/self-test/ask-executable.ts';
import { askingEnvironment } from '../provisioning/self-test/self-test.ts';
import { tellPool } from './provision/tell-pool.ts';

export interface ProvisionEngineDeps {
  /** Folder of the pools file: relative paths begin here. */
  readonly baseDir: string;
  /** Where executables are looked for; default: PATH. */
  readonly path?: string;
  readonly askDeadlineMs?: number;
  readonly engineOf: Provisioning['engineOf'];
}

const defaultAskDeadlineMs = 10_000;

export const provisionEngine = (deps: ProvisionEngineDeps): typeof poolActors.provisionEngine => {
  const ask = askExecutable({ deadlineMs: deps.askDeadlineMs ?? defaultAskDeadlineMs });
  return fromPromise<EnginePresent & Stamp, { readonly spec: PoolSpec }>(async ({ input: { spec }, self, signal }) => {
    try {
      const work = deps.engineOf(spec);
      if (work !== null) return { ...(await work.run({ report: tellPool(self, 'engine'), signal })), ...stamp() };
      const adapter = adapterFor(spec.engine);
      const named = spec.provisioning.mode === 'external' ? spec.provisioning.executable : null;
      const executable = await findExecutable(named, spec.engine, { baseDir: deps.baseDir, path: deps.path ?? process.env['PATH'] ?? '' });
      return { executable, ...(await ask(executable, adapter, askingEnvironment(), signal)), ...stamp() };
    } catch (thrown) {
      throw { cause: causeOf(thrown, 'engine_missing'), ...stamp() } satisfies Failure;
    }
  });
};
