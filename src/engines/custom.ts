/**
 * An engine that pool-managerd does not know: the pool's `custom` says what to ask it, its `flags` are its command line.
 * Nothing is known of where it keeps its memory, so its residency is never proven by its output.
 */
import type { Cause, CustomEngine, Load, PoolSpec } from '../machines/vocabulary.ts';
import type { Answer, Ask, EngineAdapter, LaunchInput, LaunchPlan } from './adapter.ts';
import { environmentOf } from './environment.ts';
import { classify } from './exit-reasons.ts';
import { cudaRows, hostRows } from './exits/shared.ts';
import { sumSeries } from './prometheus.ts';

export const custom: EngineAdapter = {
  name: 'custom',
  executables: [],
  version: null,
  help: null,
  plan,
  liveness: { ask: (spec) => get(spec.custom?.health_path ?? '/health'), read: readHealth },
  progress: { asks: progressAsk, read: readProgress, movement: () => null },
  token: {
    ask: ({ custom: engine }) => (engine?.token == null ? null : { method: 'POST', path: engine.token.path, body: engine.token.body }),
    read: readToken,
  },
  residency: () => ({ verdict: 'unproven', evidence: [] }),
  classifyExit: (exit, tail) => classify([...cudaRows, ...hostRows], exit, tail),
  stopSignal: 'SIGTERM',
};

const get = (path: string): Ask => ({ method: 'GET', path });

function plan(input: LaunchInput): LaunchPlan | Cause {
  const { spec } = input;
  if (spec.custom === null) {
    return { code: 'invalid_spec', message: 'expected `custom` with at least health_path for an engine that is not known, found none' };
  }
  const missing = spec.flags.find((flag) => flag.includes('{model}')) !== undefined && input.model.path === null;
  if (missing) return { code: 'model_missing', message: 'expected a model file, since `flags` use {model}, found none; set `model`' };
  return {
    executable: input.engine.executable,
    argv: spec.flags.map((flag) => fillIn(flag, input)),
    env: environmentOf(input),
  };
}

/** In one pass, so that a model named `{port}` stays what it is. An unknown {word} is left alone: engines have their own. */
const fillIn = (flag: string, { spec, model, port }: LaunchInput): string => {
  const values: ReadonlyMap<string, string> = new Map([
    ['host', spec.host],
    ['port', String(port)],
    ['model', model.path ?? ''],
    ['slots', String(spec.slots)],
    ...(spec.ctx === null ? [] : ([['ctx', String(spec.ctx)]] as const)),
  ]);
  return flag.replace(/\{(\w+)\}/g, (whole, name: string) => values.get(name) ?? whole);
};

function readHealth({ status }: Answer): 'ok' | 'loading' | 'error' {
  return status === 200 ? 'ok' : status === 503 ? 'loading' : 'error';
}

const pathsOf = (engine: CustomEngine | null): readonly string[] =>
  [engine?.progress_path ?? null, engine?.in_flight?.path ?? null].filter((path) => path !== null);

function progressAsk(spec: PoolSpec, _emptying: boolean, soFar: readonly Answer[]): Ask | null {
  const path = pathsOf(spec.custom)[soFar.length];
  return path === undefined ? null : get(path);
}

function readProgress(spec: PoolSpec, answers: readonly Answer[]): Load | Cause {
  const failed = answers.findIndex((answer) => answer.status !== 200);
  if (failed !== -1) {
    return { code: 'health_failed', message: `expected 200 from ${pathsOf(spec.custom)[failed]}, found ${answers[failed]?.status}` };
  }
  const { in_flight: inFlight } = spec.custom ?? { in_flight: null };
  const last = answers.at(-1);
  const running = inFlight === null || last === undefined ? null : sumSeries(last.text, inFlight.metrics);
  return { slotsTotal: spec.slots, slotsFree: running === null ? null : Math.max(0, spec.slots - running), inFlight: running };
}

function readToken({ status, text }: Answer): true | Cause {
  if (status === 200 && text !== '') return true;
  return { code: 'health_failed', message: `expected 200 and a token, found ${status} ${JSON.stringify(text.slice(0, 160))}` };
}
