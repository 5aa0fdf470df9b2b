/** How a command ends: exit codes as documented in `--help`, and the error that carries one. */

export const exitCodes = {
  ok: 0,
  /** The daemon refused, or what was waited for did not happen. */
  failed: 1,
  usage: 64,
  /** No daemon answers at the address. */
  unreachable: 69,
  /** Our bug. */
  internal: 70,
  configuration: 78,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends the command with one message for people and an exit code. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}
