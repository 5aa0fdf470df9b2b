/**
 * What a unit `llama-engine@<pool>.service` is to run: written by the daemon, and read again by `engine-exec`, which is another
 * user and trusts nothing of it that it can check. Pure.
 */
import { normalize } from 'node:path';
import * as v from 'valibot';
import { poolIdPattern } from '../../state/schemas.ts';

export interface UnitSpec {
  readonly version: 1;
  readonly poolId: string;
  readonly incarnation: string;
  readonly executable: string;
  readonly argv: readonly string[];
  /** The whole environment of the engine. */
  readonly env: Readonly<Record<string, string>>;
  /** It may run on these CPUs only; absent: on all. */
  readonly cpus?: readonly number[] | undefined;
  /** Made by the daemon; both streams are appended to it. */
  readonly logFile: string;
}

/** A program and its arguments have 2 MiB together on Linux; specs are far below. */
export const mostSpecBytes = 512 * 1024;

/** Throws an Error with one line per mistake. `instance`: the part of the unit's name after the `@`. */
export const parseUnitSpec = (text: string, instance: string): UnitSpec => {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), unitSpecSchema), text);
  if (!parsed.success) throw new Error(parsed.issues.map((issue) => `${v.getDotPath(issue) ?? 'spec'}: ${issue.message}`).join('\n'));
  const spec = parsed.output;
  if (spec.poolId !== instance) throw new Error(`poolId: expected the unit's instance ${instance}, found ${spec.poolId}`);
  return spec;
};

/** Names that would change who the engine is, or let it speak for the daemon. */
const refusedNames = /^(?:LD_PRELOAD|LD_AUDIT|NODE_OPTIONS|LLORCH_API_TOKEN|NOTIFY_SOCKET|LISTEN_\w+|WATCHDOG_\w+|CREDENTIALS_DIRECTORY)$/;

const noNul = v.pipe(
  v.string(),
  v.check((text) => !text.includes('\0'), 'expected text without a NUL byte'),
  v.maxLength(128 * 1024),
);
const absolutePath = v.pipe(
  noNul,
  v.check((path) => path.startsWith('/') && normalize(path) === path && !path.endsWith('/'), 'expected an absolute path without . and ..'),
);
const variableName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'expected the name of an environment variable'),
  v.check((name) => !refusedNames.test(name), 'expected no variable that changes what is run'),
);

export const unitSpecSchema = v.pipe(
  v.strictObject({
    version: v.literal(1),
    poolId: v.pipe(v.string(), v.regex(poolIdPattern, 'expected a pool id')),
    incarnation: v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]{1,64}$/, 'expected letters, digits and dashes')),
    executable: absolutePath,
    argv: v.pipe(v.array(noNul), v.maxLength(4096)),
    env: v.record(variableName, noNul),
    cpus: v.optional(v.pipe(v.array(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(4095))), v.minLength(1), v.maxLength(4096))),
    logFile: absolutePath,
  }),
  v.check(({ logFile, poolId }) => logFile.includes(`/logs/${poolId}/`), "logFile: expected a file in the pool's own folder of logs"),
) satisfies v.GenericSchema<unknown, UnitSpec>;
