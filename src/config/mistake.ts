/** One mistake of a person in a setting, and how it is told in one line. Decides what of a value may be shown, not what is wrong. */

export interface Mistake {
  /** Variable or key path: `POOL_MANAGERD_PORT_RANGE`, `pools[0].slots`. */
  readonly key: string;
  readonly value: unknown;
  readonly expected: string;
}

const longest = 80;

export const lineOf = ({ key, value, expected }: Mistake): string => `${key}: expected ${expected}, found ${shown(value)}`;

/** `pools[0].slots`; keys that are no plain words are quoted, so that a line stays a line. */
export const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    const word = /^[\w-]+$/.test(String(step)) ? String(step) : cut(JSON.stringify(String(step)));
    return text === '' ? word : `${text}.${word}`;
  }, '');

/** Takes the place of a value that may be a secret. */
export const hidden = { hidden: true } as const;

const shown = (value: unknown): string => {
  if (value === hidden) return 'a value that is not shown';
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object' && value !== null) return 'a map';
  if (typeof value === 'string') return cut(JSON.stringify(withoutUserinfo(value)));
  return cut(String(value));
};

const withoutUserinfo = (text: string): string => text.replace(/\/\/[^/\s]*@/g, '//…@');

const cut = (text: string): string => (text.length > longest ? `${text.slice(0, longest)}…` : text);
