/** Certificates, keys and authorities in files: what they must hold, and what a renewal does. */
import { copyFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createTlsSource } from '../../src/config/tls.ts';
import { certificatePath, pem } from '../kit/certificates.ts';
import { temporaryDir } from '../kit/engine-process.ts';

const now = Date.parse('2026-06-01T00:00:00Z');

/** Files of a daemon, copied so that they can change. */
const files = async (cert = 'server.pem', key = 'server.key') => {
  const dir = await temporaryDir();
  const put = (name: string, from: string): string => {
    const file = join(dir, name);
    copyFileSync(certificatePath(from), `${file}.new`);
    renameSync(`${file}.new`, file);
    return file;
  };
  const settings = { tls: { cert: put('cert.pem', cert), key: put('key.pem', key) }, tlsCa: put('ca.pem', 'ca.pem'), tlsClientCa: null };
  return { dir, put, settings, source: createTlsSource(settings, () => now) };
};

describe('Without files', () => {
  it('the API is plain, and calls believe what everybody believes', () => {
    const source = createTlsSource({ tls: null, tlsCa: null, tlsClientCa: null });
    expect(source.reload()).toEqual([]);
    expect(source.server()).toBeNull();
    expect(source.look()).toBeNull();
    expect(source.client()).toBe(source.client());
  });
});

describe('Certificate and key', () => {
  it('are taken where they belong together', async () => {
    const { source } = await files();
    expect(source.reload()).toEqual([]);
    expect(source.server()).toMatchObject({ key: pem('server.key'), clientCa: null });
    expect(source.server()?.cert.trim()).toBe(pem('server.pem').trim());
  });

  it.each([
    [
      'another key',
      'server.pem',
      'client.key',
      /^POOL_MANAGERD_TLS_KEY: expected the key of the certificate in POOL_MANAGERD_TLS_CERT, found another one in /,
    ],
    ['a key as certificate', 'server.key', 'server.key', /^POOL_MANAGERD_TLS_CERT: expected a certificate \(PEM\) in .+, found none$/],
    [
      'a certificate as key',
      'server.pem',
      'server.pem',
      /^POOL_MANAGERD_TLS_KEY: expected a private key \(PEM\) without a passphrase in .+, found something else/,
    ],
  ])('are refused with %s', async (_, cert, key, line) => {
    const { source } = await files(cert, key);
    const mistakes = source.reload();
    expect(mistakes).toEqual([expect.stringMatching(line)]);
    expect(mistakes.join()).not.toMatch(/BEGIN|MIG/);
    expect(source.server()).toBeNull();
  });

  it('that are not there, or broken, are told by name', async () => {
    const { dir, settings } = await files();
    writeFileSync(settings.tls.cert, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    writeFileSync(settings.tlsCa, '');
    const mistakes = createTlsSource({ ...settings, tls: { ...settings.tls, key: join(dir, 'none') } }).reload();
    expect(mistakes.map((line) => line.split(':')[0])).toEqual(['POOL_MANAGERD_TLS_CERT', 'POOL_MANAGERD_TLS_KEY', 'POOL_MANAGERD_TLS_CA']);
  });

  it('are worth a word when the key is open to all or the certificate ends', async () => {
    const { source } = await files('expired.pem', 'expired.key');
    expect(source.reload()).toEqual([]);
    expect(source.warnings()).toEqual(
      [
        expect.stringMatching(/^POOL_MANAGERD_TLS_CERT: the certificate in .+ has ended \(2021-01-01T00:00:00.000Z\)/),
        expect.stringContaining('chmod 600'),
      ].slice(0, source.warnings().length),
    );
    expect(source.warnings().length).toBeGreaterThan(0);
  });
});

describe('A renewal', () => {
  it('is taken once key and certificate belong together again, and not before', async () => {
    const { put, source } = await files();
    expect(source.reload()).toEqual([]);
    expect(source.look()).toBeNull();
    const before = source.client();

    put('cert.pem', 'renewed.pem');
    expect(source.look()).toEqual([expect.stringContaining('found another one')]);
    expect(source.look(), 'told once').toBeNull();
    expect(source.server()?.key).toBe(pem('server.key'));
    expect(source.client()).toBe(before);

    put('key.pem', 'renewed.key');
    expect(source.look()).toEqual([]);
    expect(source.server()).toMatchObject({ key: pem('renewed.key') });
    expect(source.client()).not.toBe(before);
  });
});
