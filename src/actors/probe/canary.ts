/**
 * One token of an idle engine now and then, where the pool wants it (`health.canary`): the proof that it still generates.
 *
 * Never while work is in it. A failure is a failed probe like any other; from then on each probe asks, until a token comes: those in
 * between would pass, and hide that it generates no more.
 */
import { causeOf } from '../../cause.ts';
import type { EngineAdapter } from '../../engines/adapter.ts';
import type { RunRecord } from '../../machines/vocabulary.ts';
import type { Asked, EngineLine } from '../ask-engine.ts';
import type { Probe } from './probe-once.ts';

/** Probes from one token to the next, of an engine that gave the last one. */
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
  let owesToken = false;
  return {
    judge: async (probe, line, signal) => {
      if (ask === null || token === null || probe.kind !== 'passed' || probe.load.inFlight !== 0) return probe;
      probes += 1;
      if (!owesToken && probes % everyProbes !== 0) return probe;
      owesToken = true;
      const deadlineMs = run.spec.health.progress_timeout_ms;
      try {
        const asked = await line.ask(ask, { deadlineMs, signal, apiKey: await readApiKey(run) });
        if (asked.kind !== 'answer') return failed(asked, deadlineMs);
        const verdict = token.read(asked.answer);
        if (verdict !== true) return { kind: 'failed', outcome: 'error', cause: verdict };
        owesToken = false;
        return probe;
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
