/** What the files of certificates and keys must hold. One line per mistake, without what is in them. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readSmallFile } from './read-file.ts';

export type PemRead<T> =
  | { readonly ok: true; readonly value: T; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly mistake: string };

const mostBytes = 1024 * 1024;
const dayMs = 24 * 60 * 60 * 1000;
const soonDays = 14;
const block = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** One certificate and, after it, those that lead to its authority. */
export const readCertificate = (name: string, file: string, now: number): PemRead<string> => {
  const read = readChain(name, file, 'a certificate (PEM)');
  if (!read.ok) return read;
  const [first] = read.value.certificates;
  return { ok: true, value: read.value.text, warnings: first === undefined ? [] : endOf(name, file, first, now) };
};

/** Authorities, any number of them. */
export const readAuthorities = (name: string, file: string): PemRead<string> => {
  const read = readChain(name, file, 'certificates of authorities (PEM)');
  return read.ok ? { ok: true, value: read.value.text, warnings: [] } : read;
};

/** The key of that certificate, without a passphrase: nobody could type it at a restart. */
export const readKey = (name: string, file: string, certificate: string | null): PemRead<string> => {
  const read = readSmallFile(file, mostBytes);
  if (!read.ok) return unreadable(name, file, 'a private key (PEM)', read.problem);
  try {
    const key = createPrivateKey(read.text);
    if (certificate !== null && !new X509Certificate(certificate).checkPrivateKey(key))
      return { ok: false, mistake: `${name}: expected the key of the certificate in POOL_MANAGERD_TLS_CERT, found another one in ${file}` };
  } catch (thrown) {
    return { ok: false, mistake: `${name}: expected a private key (PEM) without a passphrase in ${file}, found something else (${why(thrown)})` };
  }
  const open = (read.stats.mode & 0o006) !== 0;
  return { ok: true, value: read.text, warnings: open ? [`${name}: ${file} is open to every user of this machine; chmod 600 it`] : [] };
};

interface Chain {
  readonly text: string;
  readonly certificates: readonly X509Certificate[];
}

const readChain = (
  name: string,
  file: string,
  what: string,
): { readonly ok: true; readonly value: Chain } | { readonly ok: false; readonly mistake: string } => {
  const read = readSmallFile(file, mostBytes);
  if (!read.ok) return unreadable(name, file, what, read.problem);
  const blocks = read.text.match(block) ?? [];
  if (blocks.length === 0) return { ok: false, mistake: `${name}: expected ${what} in ${file}, found none` };
  try {
    return { ok: true, value: { text: blocks.join('\n'), certificates: blocks.map((pem) => new X509Certificate(pem)) } };
  } catch (thrown) {
    return { ok: false, mistake: `${name}: expected ${what} in ${file}, found one that cannot be read (${why(thrown)})` };
  }
};

const endOf = (name: string, file: string, { validToDate }: X509Certificate, now: number): readonly string[] => {
  const days = Math.floor((validToDate.getTime() - now) / dayMs);
  if (days >= soonDays) return [];
  const when = days < 0 ? 'has ended' : days === 0 ? 'ends today' : `ends in ${days} days`;
  return [`${name}: the certificate in ${file} ${when} (${validToDate.toISOString()}); renew it, and it is read again by itself`];
};

const unreadable = (name: string, file: string, what: string, problem: string) =>
  ({ ok: false, mistake: `${name}: expected ${what} in ${file}, which cannot be read: ${problem}` }) as const;

const why = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
