/**
 * One token of an idle engine now and then, where the pool wants it (`health.canary`): the proof that it still generates.
 *
 * Never while work is in it. Remembers when it asked last; a failure is a failed probe like any other.
 */
import { causeOf } from '../../cause.ts';
import type { EngineAdapter } from '../../engines/adapter.ts';
import type { RunRecord } from '../../machines/vocabulary.ts';
import type { Asked, EngineLine } from '../ask-engine.ts';
import type { Probe } from './probe-once.ts';

/** Probes from one token to the next. */
const everyProbes = 15;

export interface Canary {
  /** The probe as it is, or as failed where an idle engine gave no token. */
  judge(probe: Probe, line: EngineLine, signal: AbortSignal): Promise<Probe>;
}

export interface CanaryOptions {
  readonly run: RunRecord;
  readonly token: EngineAdapter['token'];
  readonly readApiKey: (run: RunRecord) => Promise<string | null>;
}

export const keepCanary = ({ run, token, readApiKey }: CanaryOptions): Canary => {
  const ask = run.spec.health.canary ? (token?.ask(run.spec, run.model) ?? null) : null;
  let probes = 0;
  return {
    judge: async (probe, line, signal) => {
      if (ask === null || token === null || probe.kind !== 'passed' || probe.load.inFlight !== 0) return probe;
      probes += 1;
      if (probes % everyProbes !== 0) return probe;
      const deadlineMs = run.spec.health.progress_timeout_ms;
      try {
        const asked = await line.ask(ask, { deadlineMs, signal, apiKey: await readApiKey(run) });
        if (asked.kind !== 'answer') return failed(asked, deadlineMs);
        const verdict = token.read(asked.answer);
        return verdict === true ? probe : { kind: 'failed', outcome: 'error', cause: verdict };
      } catch (thrown) {
        return { kind: 'failed', outcome: 'error', cause: causeOf(thrown, 'health_failed') };
      }
    },
  };
};

const failed = (asked: Exclude<Asked, { kind: 'answer' }>, deadlineMs: number): Probe => {
  const found = asked.kind === 'error' ? asked.message : asked.kind === 'timeout' ? `none within ${deadlineMs} ms` : 'nobody listening';
  return {
    kind: 'failed',
    outcome: asked.kind,
    cause: { code: 'health_failed', message: `expected one token of an idle engine (health.canary), found ${found}` },
  };
};
