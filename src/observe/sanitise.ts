/**
 * Makes anything plain and secret-free that is about to be written down: journal, log lines, inspector. It changes nothing of
 * what it is given; what holds nothing to be taken out is not copied, since most of it is never kept.
 *
 * Decides by names, not by values: strings under a key named like a secret, the value after a flag named like one, and
 * bearer tokens inside text are replaced. Applying it twice changes nothing more. Never throws for data that JSON can hold.
 */

export interface SanitiseLimits {
  /** Levels of nesting kept. */
  readonly depth: number;
  /** Characters kept of one string. */
  readonly text: number;
  /** Elements kept of one list or object. */
  readonly items: number;
}

/** For data that is read back: only runaway nesting is cut. */
export const faithful: SanitiseLimits = { depth: 48, text: Number.POSITIVE_INFINITY, items: Number.POSITIVE_INFINITY };

export const redacted = '[redacted]';

const secretKey = /token|key|secret|password|authorization/i;
/** A path to a secret is no secret: `api_key_file`, `LLORCH_API_TOKEN_FILE`. */
const secretPath = /_file$|File$/i;
const secretFlag = /^--?[\w-]*(?:key|token|secret|password)$/i;
const secretAssignment = /^(--?[\w-]*(?:key|token|secret|password)=).+$/is;
const bearer = /\b(bearer)\s+(?!\[redacted\])[^\s"',;]+/gi;

export const sanitise = (value: unknown, limits: SanitiseLimits = faithful): unknown => copy(value, limits, limits.depth, false);

/** Text with bearer tokens taken out. */
export const sanitiseText = (text: string): string => text.replace(bearer, `$1 ${redacted}`);

const copy = (value: unknown, limits: SanitiseLimits, depth: number, secret: boolean): unknown => {
  switch (typeof value) {
    case 'string':
      return secret ? redacted : cut(sanitiseText(value), limits.text);
    case 'bigint':
      return value.toString();
    case 'function':
    case 'symbol':
      return undefined;
    case 'object':
      if (value === null) return null;
      if (depth === 0) return '[too deep]';
      if (value instanceof Error) return { name: value.name, message: cut(sanitiseText(value.message), limits.text) };
      if (Array.isArray(value)) return copyList(value, limits, depth, secret);
      if ('toJSON' in value && typeof value.toJSON === 'function') return copy(value.toJSON(), limits, depth - 1, secret);
      return copyObject(value, limits, depth);
    default:
      return value;
  }
};

const copyList = (list: readonly unknown[], limits: SanitiseLimits, depth: number, secret: boolean): readonly unknown[] => {
  const kept = list.slice(0, limits.items).map((item, index) => copy(withoutFlagValue(item, list[index - 1]), limits, depth - 1, secret));
  if (list.length > kept.length) return [...kept, `[${list.length - kept.length} more]`];
  return kept.every((item, index) => item === list[index]) ? list : kept;
};

const copyObject = (value: object, limits: SanitiseLimits, depth: number): object => {
  const fields = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(fields);
  const shown = keys.length > limits.items ? keys.slice(0, limits.items) : keys;
  const kept = shown.map((key) => copy(fields[key], limits, depth - 1, secretKey.test(key) && !secretPath.test(key)));
  if (shown === keys && shown.every((key, index) => kept[index] === fields[key])) return value;
  const entries = shown.map((key, index) => [key, kept[index]] as const);
  return Object.fromEntries(shown === keys ? entries : [...entries, ['…', `${keys.length - shown.length} more`]]);
};

/** `--api-key X` and `--api-key=X` of an argument list. */
const withoutFlagValue = (item: unknown, previous: unknown): unknown => {
  if (typeof item !== 'string') return item;
  if (typeof previous === 'string' && secretFlag.test(previous) && !item.startsWith('-')) return redacted;
  return item.replace(secretAssignment, `$1${redacted}`);
};

const cut = (text: string, limit: number): string => (text.length > limit ? `${text.slice(0, limit)}… (${text.length} characters)` : text);
