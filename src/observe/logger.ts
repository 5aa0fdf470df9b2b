/**
 * The daemon's own log: JSON Lines with level labels, RFC 3339 times, a `target` that names the part, and no secrets.
 *
 * Decides the shape of a line, not what is worth one and not how it gets out (`log-output.ts`).
 */
import pino, { type DestinationStream, type Logger as PinoLogger } from 'pino';
import { createLogOutput } from './log-output.ts';
import { sanitise, sanitiseText } from './sanitise.ts';

export type Logger = PinoLogger;

export interface LoggerOptions {
  /** `trace|debug|info|warn|error|fatal|silent` */
  readonly level: string;
  readonly nodeId: string;
  /** Default: stdout. */
  readonly destination?: DestinationStream;
}

export const createLogger = ({ level, nodeId, destination }: LoggerOptions): Logger =>
  pino(
    {
      level,
      base: { node_id: nodeId },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      serializers: { err: (error: unknown) => sanitise(error) },
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => Object.fromEntries(Object.entries(sanitise(fields) ?? {})),
      },
      hooks: {
        logMethod(args, method) {
          const [first, second, ...rest] = args;
          if (typeof first === 'string') method.apply(this, [sanitiseText(first), second, ...rest]);
          else if (typeof second === 'string') method.apply(this, [first, sanitiseText(second), ...rest]);
          else method.apply(this, args);
        },
      },
    },
    destination ?? createLogOutput(),
  );

/** A logger for one part of the daemon: `forPart(log, 'registry')` writes `"target":"pool_managerd::registry"`. */
export const forPart = (logger: Logger, part: string): Logger => logger.child({ target: `pool_managerd::${part}` });
