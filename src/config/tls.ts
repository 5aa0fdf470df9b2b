/**
 * Certificates, key and authorities as they stand now: of the API, of its clients, and for calls to orchestratord. The files are
 * looked at again when asked, so that a renewed certificate is taken without a restart.
 *
 * Files that are bad after they were good change nothing: the last good ones stay in force, all of them, and the mistake is told.
 */
import { statSync } from 'node:fs';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type { Environment } from './environment.ts';
import { type PemRead, readAuthorities, readCertificate, readKey } from './tls-files.ts';

/** What a TLS server is made with, and made anew with. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  /** Who signed the certificates that clients must have; null: they need none. */
  readonly clientCa: string | null;
}

export interface TlsSource {
  /** Null: plain http. */
  server(): ServerTls | null;
  /** For calls to orchestratord: whom to believe, and who we are if it asks. */
  client(): SecureContext;
  /** Reads the files now; one line per mistake. */
  reload(): readonly string[];
  /** The same where a file has changed since the last reading; null: none has. */
  look(): readonly string[] | null;
  /** What is allowed and still worth a word, from the last reading. */
  warnings(): readonly string[];
}

type TlsSettings = Pick<Environment, 'tls' | 'tlsCa' | 'tlsClientCa'>;

interface Pems {
  readonly cert: string | null;
  readonly key: string | null;
  readonly ca: string | null;
  readonly clientCa: string | null;
}

const nothing: Pems = { cert: null, key: null, ca: null, clientCa: null };

/** `now`: milliseconds since 1970, for what is said of certificates that end. */
export const createTlsSource = (settings: TlsSettings, now: () => number = Date.now): TlsSource => {
  const { tls, tlsCa, tlsClientCa } = settings;
  const files = [tls?.cert, tls?.key, tlsCa, tlsClientCa].filter((file) => file !== undefined && file !== null);
  let pems = nothing;
  let warnings: readonly string[] = [];
  let context: SecureContext | null = null;
  let seen = '';

  const reload = (): readonly string[] => {
    seen = fingerprintOf(files);
    const cert = optional(tls?.cert ?? null, (file) => readCertificate('POOL_MANAGERD_TLS_CERT', file, now()));
    const key = optional(tls?.key ?? null, (file) => readKey('POOL_MANAGERD_TLS_KEY', file, cert.ok ? cert.value : null));
    const ca = optional(tlsCa, (file) => readAuthorities('POOL_MANAGERD_TLS_CA', file));
    const clientCa = optional(tlsClientCa, (file) => readAuthorities('POOL_MANAGERD_TLS_CLIENT_CA', file));
    const mistakes = [cert, key, ca, clientCa].flatMap((read) => (read.ok ? [] : [read.mistake]));
    if (!cert.ok || !key.ok || !ca.ok || !clientCa.ok) return mistakes;
    pems = { cert: cert.value, key: key.value, ca: ca.value, clientCa: clientCa.value };
    warnings = [cert, key, ca, clientCa].flatMap((read) => read.warnings);
    context = null;
    return [];
  };

  return {
    server: () => (pems.cert === null || pems.key === null ? null : { cert: pems.cert, key: pems.key, clientCa: pems.clientCa }),
    client: () => {
      context ??= contextOf(pems);
      return context;
    },
    reload,
    look: () => (fingerprintOf(files) === seen ? null : reload()),
    warnings: () => warnings,
  };
};

const optional = (file: string | null, read: (file: string) => PemRead<string>): PemRead<string | null> =>
  file === null ? { ok: true, value: null, warnings: [] } : read(file);

/** A named authority is the only one; else those of Node and of the system. */
const contextOf = ({ cert, key, ca }: Pems): SecureContext =>
  createSecureContext({
    minVersion: 'TLSv1.2',
    ca: ca ?? [...getCACertificates('default'), ...getCACertificates('system')],
    ...(cert !== null && key !== null && { cert, key }),
  });

/** Changes whenever one of them does. Why it cannot be looked at is told by the reading that follows. */
const fingerprintOf = (files: readonly string[]): string => files.map(lookAt).join('\n');

const lookAt = (file: string): string => {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(' ');
  } catch {
    return 'cannot be looked at';
  }
};
