/**
 * What the text of an environment variable can stand for: schemas from text to a value. Each one's message is the expectation
 * alone; the mistake's line and the reference are built around it.
 */
import { isIP } from 'node:net';
import * as v from 'valibot';
import { isLoopbackHost } from '../loopback.ts';

export interface Address {
  /** IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Nobody on another machine reaches it. */
  readonly loopback: boolean;
}

/** `read`: null where the text is not as expected. */
export const textValue = <T>(expected: string, read: (text: string) => T | null) =>
  v.pipe(
    v.string(expected),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      const value = read(dataset.value);
      if (value !== null) return value;
      addIssue({ message: expected });
      return NEVER;
    }),
    v.metadata({ expected }),
  );

export const flag = () => textValue('true, false, 1 or 0', (text) => flags.get(text) ?? null);

const flags: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

export const wholeNumber = (least: number, most: number, unit: string) =>
  textValue(`a whole number of ${unit} from ${least} to ${most}`, (text) => readWhole(text, least, most));

export const oneOf = <const T extends readonly string[]>(...words: T) =>
  textValue<T[number]>(`${words.slice(0, -1).join(', ')} or ${words.at(-1)}`, (text) => words.find((word) => word === text) ?? null);

export const address = () => textValue('host:port such as 127.0.0.1:9200 or [::1]:9200', readAddress);

export const hostAlone = () => textValue('an IP address or host name without a port', (text) => readHost(text.replace(/^\[(.*)\]$/, '$1')));

export const url = (example: string, ...protocols: readonly string[]) =>
  textValue(`a URL such as ${example}, without user name, password or fragment`, (text) => {
    const parsed = URL.canParse(text) ? new URL(text) : null;
    if (parsed === null || !protocols.includes(parsed.protocol) || parsed.hostname === '') return null;
    return parsed.username === '' && parsed.password === '' && parsed.hash === '' ? text : null;
  });

export const path = () => textValue('a path', (text) => (text.includes('\0') ? null : text));

export const nodeName = () =>
  textValue('1 to 253 letters, digits, dots, dashes or underscores, first a letter or digit', (text) =>
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(text) ? text : null,
  );

export const hostList = () =>
  textValue('host names or IP addresses without ports, with commas between them', (text) => {
    const hosts = text.split(',').map((part) => readHost(part.trim().replace(/^\[(.*)\]$/, '$1')));
    return hosts.every((host) => host !== null) ? hosts : null;
  });

export const portRange = () =>
  textValue('first-last such as 18080-18999, ports from 1 to 65535', (text) => {
    const [, first = '', last = ''] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
    const range = { first: readWhole(first, 1, 65_535), last: readWhole(last, 1, 65_535) };
    return range.first !== null && range.last !== null && range.first <= range.last ? { first: range.first, last: range.last } : null;
  });

const readWhole = (text: string, least: number, most: number): number | null => {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : null;
};

const readAddress = (text: string): Address | null => {
  const [, v6, name, digits = ''] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = v6 === undefined ? readHost(name ?? '') : isIP(v6) === 6 ? v6 : null;
  const port = readWhole(digits, 0, 65_535);
  return host === null || port === null ? null : { host, port, loopback: isLoopbackHost(host) };
};

const hostName = /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

/** What is all digits and dots and no address is a slip, not a name: resolvers make other addresses of it. */
export const readHost = (text: string): string | null => {
  if (isIP(text) !== 0) return text;
  return hostName.test(text) && !/^[\d.]+$/.test(text) ? text : null;
};
