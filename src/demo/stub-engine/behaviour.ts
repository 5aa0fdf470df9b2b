/** How a stub engine is to misbehave, read from its environment. Anything not a number is as if it were not set. */

export interface Behaviour {
  readonly loadMs: number;
  readonly tokensPerSecond: number;
  /** `slots`: the work loop stands while /health answers; `all`: nothing answers. */
  readonly hang: 'slots' | 'all' | null;
  readonly hangAfterMs: number;
  readonly crashAfterMs: number | null;
  readonly crashCode: number;
  /** Fails its load with this as its last line. */
  readonly failLoad: string | null;
  readonly ignoreTerm: boolean;
  /** Says in the words of llama-server that all is on the GPU. It is not: a stub loads nothing. */
  readonly saysPlaced: boolean;
}

export const readBehaviour = (env: Readonly<Record<string, string | undefined>>): Behaviour => ({
  loadMs: numberIn(env['STUB_LOAD_MS']) ?? 500,
  tokensPerSecond: Math.max(0.1, numberIn(env['STUB_TOKENS_PER_SECOND']) ?? 40),
  hang: env['STUB_HANG'] === 'slots' || env['STUB_HANG'] === 'all' ? env['STUB_HANG'] : null,
  hangAfterMs: numberIn(env['STUB_HANG_AFTER_MS']) ?? 0,
  crashAfterMs: numberIn(env['STUB_CRASH_AFTER_MS']),
  crashCode: numberIn(env['STUB_CRASH_CODE']) ?? 1,
  failLoad: env['STUB_FAIL_LOAD'] ?? null,
  ignoreTerm: env['STUB_IGNORE_TERM'] === '1',
  saysPlaced: env['STUB_SAYS_PLACED'] === '1',
});

const numberIn = (text: string | undefined): number | null => {
  const value = text === undefined || text === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) && value >= 0 ? value : null;
};
