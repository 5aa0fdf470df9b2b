/** What a failure makes of a pool's context. Pure; each function returns the parts that change. */
import { noteFailure } from '../policies/restart.ts';
import { reasonRow } from '../reasons.ts';
import type { Cause, EngineExit } from '../vocabulary.ts';
import type { Blame, PoolContext } from './context.ts';
import { endingOf, stampOf } from './failure.ts';

type Changes = Partial<PoolContext>;

/** An error. An order that stands stays the reason. */
export const blamed = (context: PoolContext, event: unknown, cause: Cause): Changes => {
  const lastError = blameOf(event, cause);
  return { lastError, ...(!isOrdered(context) && context.nextSpec === null && reasoned(context, lastError)) };
};

/** As others are told of it. */
export const causeOfBlame = ({ code, message, details }: Blame): Cause => ({ code, message, ...(details && { details }) });

/** An error only where it was not an order that came between. */
export const reloadFailed = (event: unknown, cause: Cause): Changes => {
  const { endsIn } = reasonRow(cause.code);
  return endsIn === 'stopped' || endsIn === 'again' ? {} : { lastError: blameOf(event, cause) };
};

/** The reason, now or, while an engine will not die, once it is gone. */
export const reasoned = ({ stuckOver }: PoolContext, reason: Blame): Changes => (stuckOver === null ? { reason } : { stuckOver: { reason } });

/** Names the missing GPUs where what brought the pool here does not wait for anything. */
export const gpusBlamed = (context: PoolContext, event: unknown): Changes => {
  const waits = context.reason !== null && reasonRow(context.reason.code).endsIn === 'blocked';
  return context.gpuCause === null || waits ? {} : blamed(context, event, context.gpuCause);
};

/** Also a new spec has to wait for it. */
export const heldVram = (context: PoolContext, event: unknown, heldBytes: number | null): Changes => {
  const held = heldBytes === null ? 'memory' : `${heldBytes} bytes`;
  const limitMs = context.spec.timeouts.vram_release_ms;
  const message = `${held} of VRAM still held ${limitMs} ms (timeouts.vram_release_ms) after the engine ended; see which process holds it with nvidia-smi`;
  const lastError = blameOf(event, { code: 'vram_not_released', message });
  return { lastError, ...(!isOrdered(context) && { reason: lastError }) };
};

/** Until it is known why, or where that is never found out. */
export const unexplained = ({ code, signal }: EngineExit): Cause => {
  const how = signal === null ? (code === null ? '' : ` with code ${code}`) : ` by ${signal}`;
  return { code: 'engine_exited', message: `the engine ended${how}; why is not known` };
};

export const unkillable = (survivors: readonly number[]): Cause => ({
  code: 'unkillable',
  message: `processes ${survivors.join(', ')} did not end after KILL; the driver may be hung and the machine may need a reboot`,
});

/** The reason until it is gone; then what was the reason before is it again. */
export const stuck = (context: PoolContext, event: unknown, cause: Cause): Changes => ({
  reason: blameOf(event, cause),
  lastError: blameOf(event, cause),
  stuckOver: context.stuckOver ?? { reason: context.reason },
});

export const unstuck = ({ stuckOver }: PoolContext): Changes => (stuckOver === null ? {} : { reason: stuckOver.reason, stuckOver: null });

/** The next try and when; many in a row are a reason of their own. */
export const backedOff = (context: PoolContext, event: unknown): Changes => {
  const { spec, restart, reason, poolId } = context;
  const now = stampOf(event);
  const code = reason?.code ?? 'engine_exited';
  const { memory, delayMs, crashLoop } = noteFailure(restart, spec.restart, code, now?.mono ?? null, poolId);
  const message = `${spec.restart.max_restarts} starts within ${spec.restart.window_ms} ms; last: ${reason?.message ?? code}`;
  return {
    restart: memory,
    retry: { delayMs, at: now === null ? null : now.at + delayMs, mono: now === null ? null : now.mono + delayMs },
    ...(crashLoop && { reason: blameOf(event, { code: 'crash_loop', message }) }),
  };
};

/** An earlier daemon's wait goes on, with its reason. */
export const waitedOn = ({ recordedRetry }: PoolContext): Changes => {
  if (recordedRetry === null) return {};
  const { delayMs, at, mono, reason } = recordedRetry;
  return { retry: { delayMs, at, mono }, reason, lastError: reason, recordedRetry: null };
};

const blameOf = (event: unknown, cause: Cause): Blame => {
  const ending = endingOf(event);
  return { ...cause, at: stampOf(event)?.at ?? null, ...(ending !== null && { ending }) };
};

const isOrdered = ({ wanted, removing, shuttingDown }: PoolContext): boolean => wanted === 'down' || removing || shuttingDown;
