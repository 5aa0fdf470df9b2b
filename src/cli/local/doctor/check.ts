/** What a check of the machine comes to. `unknown`: it could not be found out, which is told and is no failure. */
export interface Check {
  readonly name: string;
  readonly verdict: 'ok' | 'warn' | 'fail' | 'unknown';
  readonly found: string;
  /** What a person is to do; null: nothing. */
  readonly todo: string | null;
}

export const ok = (name: string, found: string): Check => ({ name, verdict: 'ok', found, todo: null });
export const warn = (name: string, found: string, todo: string): Check => ({ name, verdict: 'warn', found, todo });
export const fail = (name: string, found: string, todo: string): Check => ({ name, verdict: 'fail', found, todo });
export const unknown = (name: string, found: string): Check => ({ name, verdict: 'unknown', found, todo: null });

export const inWords = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
