/**
 * One log line for each change that a person would want to read about: an observer of machines.
 *
 * Decides level and wording; the machines decide everything else. Events that change no state are told at debug level, a few
 * facts excepted. Samples are not told.
 */
import { type ReasonCode, reasonRow } from '../machines/reasons.ts';
import { outcomeOf } from './journal-lines.ts';
import { forPart, type Logger } from './logger.ts';
import { at, causeAt, numberAt, textAt } from './look.ts';
import type { Observation, Observer } from './observe.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

interface Line {
  readonly level: Level;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export const createLogLines = (logger: Logger): Observer => {
  const parts = {
    pool: forPart(logger, 'pool'),
    node: forPart(logger, 'node'),
    registration: forPart(logger, 'registration'),
    gpu: forPart(logger, 'gpu'),
  };
  return {
    name: 'log lines',
    observe: (seen) => {
      if (seen.sample && !seen.changed) return;
      const line = lineOf(seen);
      parts[seen.machine][line.level]({ ...commonFields(seen), ...line.fields }, line.message);
    },
  };
};

const lineOf = (seen: Observation): Line => {
  if (seen.failed) return { level: 'error', message: `${seen.machine} broke on ${seen.event.type}: this is a bug of pool-managerd; it starts again` };
  switch (seen.machine) {
    case 'pool':
      return poolLine(seen);
    case 'node':
      return nodeLine(seen);
    case 'registration':
      return registrationLine(seen);
    case 'gpu':
      return gpuLine(seen);
  }
};

const commonFields = (seen: Observation): Record<string, unknown> => ({
  ...(seen.machine === 'pool' ? poolFields(seen) : { state: seen.to }),
  ...(seen.changed && seen.from !== '' && { from: seen.from }),
  actor: seen.actorId,
  event: seen.event.type,
});

const poolFields = ({ poolId, to, incarnation, snapshot: { context } }: Observation): Record<string, unknown> => {
  const [state, ...below] = to.split('.');
  const gpus = at(context, 'gpus');
  return withoutUnknown({
    pool_id: poolId,
    state,
    substate: below.join('.') || null,
    incarnation,
    engine: textAt(context, 'spec', 'engine'),
    engine_version: textAt(context, 'run', 'engineVersion'),
    model: textAt(context, 'model', 'id') ?? textAt(context, 'spec', 'model'),
    device_mask: Array.isArray(gpus) ? gpus.map((gpu) => numberAt(gpu, 'index')).join(',') : null,
    slots_total: numberAt(context, 'load', 'slotsTotal'),
    slots_free: numberAt(context, 'load', 'slotsFree'),
    restart_count: numberAt(context, 'restart', 'count'),
    backoff_ms: to.startsWith('offline.backingOff') ? numberAt(context, 'retry', 'delayMs') : null,
    reason: textAt(context, 'reason', 'code'),
    last_error: textAt(context, 'lastError', 'message'),
  });
};

const poolLine = (seen: Observation): Line => {
  if (seen.event.type === 'reload.concluded') return concluded(seen.event);
  const outcome = outcomeOf(seen);
  if (outcome === 'reloaded') return { level: 'info', message: 'pool ready: the new spec runs' };
  if (outcome === 'rolled_back') return { level: 'warn', message: 'pool ready: the new spec was given up, the old one runs' };
  if (outcome === 'given_up')
    return { level: 'error', message: `pool gave up its reload: ${causeAt(seen.snapshot.context, 'reason')?.message ?? seen.to}` };
  if (!seen.changed) return noted(seen);
  const [state, child] = seen.to.split('.');
  const because = causeAt(seen.snapshot.context, 'reason');
  const why = because === null ? '' : `: ${because.message}`;
  switch (state) {
    case 'uninitialized':
      return { level: 'info', message: 'pool declared' };
    case 'provisioning':
      return entered(seen, 'provisioning', 'pool makes engine and model present');
    case 'starting':
      return { level: 'info', message: `pool starting: ${child ?? ''}` };
    case 'ready':
      return child === 'suspect'
        ? { level: 'warn', message: 'pool suspect: a health probe failed' }
        : { level: 'info', message: seen.from === 'ready.suspect' ? 'pool healthy again' : 'pool ready' };
    case 'draining':
      if (child === 'stuck') return { level: 'error', message: `pool cannot end its engine${why}` };
      return { level: seen.from.startsWith('draining') ? 'info' : levelOf(because?.code ?? null), message: `pool draining: ${child ?? ''}${why}` };
    case 'offline':
      return { level: levelOf(because?.code ?? null), message: `pool offline: ${offlineWords[child ?? ''] ?? child ?? ''}${why}` };
    case 'ended':
      return { level: 'info', message: because?.code === 'superseded' ? 'the old engine has ended' : 'pool removed' };
    default:
      return { level: 'info', message: `pool ${seen.to}` };
  }
};

/** That what is known of a pool is not on disk is told when it begins and when it ends, not at each try. */
const noted = ({ event, before, snapshot: { context } }: Observation): Line => {
  const [was, is] = [causeAt(before?.context, 'memoryFailed'), causeAt(context, 'memoryFailed')];
  if (is !== null && was?.code !== is.code)
    return { level: 'error', message: `what is to be known of the pool after a restart cannot be kept: ${is.message}`, fields: { reason: is.code } };
  if (is === null && was !== null) return { level: 'info', message: 'what is to be known of the pool after a restart is on disk again' };
  return { level: 'debug', message: `pool noted ${event.type}` };
};

/** Of a reload beside the engine that serves. */
const concluded = (event: Observation['event']): Line => {
  const [why, fields] = [causeAt(event, 'cause')?.message ?? 'no reason given', { operation_id: textAt(event, 'operationId') }];
  return textAt(event, 'outcome') === 'rolled_back'
    ? { level: 'warn', message: `the new spec was given up, the old engine serves on: ${why}`, fields }
    : { level: 'warn', message: `a reload was given up: ${why}`, fields };
};

const offlineWords: Readonly<Record<string, string>> = {
  stopped: 'stopped',
  backingOff: 'tries again later',
  blocked: 'waits for what it needs',
  failed: 'needs a person',
};

/** The first step into a state is told, the ones below it are for the curious. */
const entered = (seen: Observation, state: string, message: string): Line => ({
  level: seen.from.startsWith(state) ? 'debug' : 'info',
  message: seen.from.startsWith(state) ? `pool ${seen.to}` : message,
});

/** Orders are no trouble; what mends itself is a warning; what needs a person is an error. */
const levelOf = (code: ReasonCode | null): Level => {
  if (code === null) return 'info';
  const { endsIn, retried } = reasonRow(code);
  switch (endsIn) {
    case 'stopped':
    case 'again':
      return 'info';
    case 'backingOff':
    case 'blocked':
      return retried && code !== 'crash_loop' ? 'warn' : 'error';
    case 'failed':
    case 'stuck':
      return 'error';
  }
};

const nodeLine = (seen: Observation): Line => {
  const { event } = seen;
  const cause = causeAt(event, 'cause');
  if (event.type.startsWith('xstate.error.actor.'))
    return { level: 'error', message: `${event.type.slice('xstate.error.actor.'.length)} failed`, fields: { last_error: messageOf(event['error']) } };
  switch (event.type) {
    case 'handoff.rejected':
      return {
        level: 'warn',
        message: `handoff file rejected: ${textAt(event, 'message') ?? 'no reason given'}`,
        fields: { file: textAt(event, 'file') },
      };
    case 'handoff.settled':
      return {
        level: 'info',
        message: `handoff file ${textAt(event, 'outcome') ?? 'settled'}`,
        fields: { pool_id: textAt(event, 'poolId'), file: textAt(event, 'file') },
      };
    case 'pools.rejected': {
      const mistakes = at(event, 'mistakes');
      return { level: 'error', message: 'the pools file is not valid and is not followed; pools stay as they are', fields: { mistakes } };
    }
    case 'pools.configured':
      return { level: 'info', message: 'the pools file is followed' };
    case 'gpu.probeFailed':
      return {
        level: seen.changed ? 'error' : 'warn',
        message: `GPUs cannot be read, the last facts are kept: ${cause?.message ?? 'no reason given'}`,
      };
    case 'kernel.xid':
      return { level: 'debug', message: `the kernel told Xid ${numberAt(event, 'report', 'code') ?? ''}: ${textAt(event, 'report', 'text') ?? ''}` };
    case 'kernel.followed':
      return cause === null
        ? { level: 'info', message: "the kernel's log is followed for errors of GPUs" }
        : { level: 'warn', message: `the kernel's log cannot be read: ${cause.message}` };
    case 'gpu.discovered': {
      const gpus = at(event, 'inventory', 'gpus');
      return {
        level: 'info',
        message: `GPUs found: ${Array.isArray(gpus) ? gpus.length : 'unknown'}`,
        fields: { gpus: Array.isArray(gpus) ? gpus.map(cardOf) : null },
      };
    }
    default:
      return seen.changed ? { level: 'info', message: `node ${seen.to}` } : { level: 'debug', message: `node noted ${event.type}` };
  }
};

const cardOf = (gpu: unknown) => ({ index: numberAt(gpu, 'index'), uuid: textAt(gpu, 'uuid'), name: textAt(gpu, 'name') });

const gpuLevels: Readonly<Record<string, Level>> = {
  healthy: 'info',
  suspect: 'warn',
  unhealthy: 'error',
  lost: 'error',
  quarantined: 'error',
  recovering: 'warn',
};

/** Each Xid is told, also one that changes nothing: people look for its number. */
const gpuLine = ({ event, from, to, changed, snapshot: { context } }: Observation): Line => {
  const fields = withoutUnknown({ gpu_uuid: textAt(context, 'uuid'), xid: numberAt(event, 'report', 'code') });
  const xid = event.type === 'gpu.xid' ? textAt(context, 'lastXid', 'message') : null;
  if (!changed) return { level: xid === null ? 'debug' : 'warn', message: xid ?? `GPU noted ${event.type}`, fields };
  if (from === '') return { level: 'debug', message: 'GPU known', fields };
  const why = xid ?? causeAt(context, 'reason')?.message ?? null;
  const message = to === 'healthy' ? 'GPU healthy again' : `GPU ${to}${why === null ? '' : `: ${why}`}`;
  return { level: gpuLevels[to] ?? 'info', message, fields };
};

const registrationLine = (seen: Observation): Line => {
  const { context } = seen.snapshot;
  const [state] = seen.to.split('.');
  const [came] = seen.from.split('.');
  const fields = withoutUnknown({
    orchestrator_url: textAt(context, 'orchestratorUrl'),
    attempt: numberAt(context, 'attempt'),
    last_error: textAt(context, 'lastError'),
  });
  if (state === came) return { level: 'debug', message: `registration ${seen.to}`, fields };
  const error = textAt(context, 'lastError') ?? 'no reason given';
  switch (state) {
    case 'disabled':
      return { level: 'info', message: 'no orchestratord configured: this node stands alone (ORCHESTRATORD_URL)', fields };
    case 'registered':
      return { level: 'info', message: 'node registered with orchestratord', fields };
    case 'backingOff':
      return { level: 'warn', message: `orchestratord cannot be reached, trying again: ${error}`, fields };
    case 'rejected':
      return { level: 'error', message: `orchestratord refuses this node, trying again slowly: ${error}`, fields };
    default:
      return { level: 'info', message: `registration ${seen.to}`, fields };
  }
};

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : (textAt(error, 'cause', 'message') ?? textAt(error, 'message') ?? String(error));

/** A log line names only what is known. */
const withoutUnknown = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== ''));
