/** The API over TLS: whom it lets in, what it says to others, and how it gets a new certificate. */
import { connect as connectTls, createSecureContext, type PeerCertificate } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { serverLimits } from '../../src/http/limits.ts';
import { createTlsFetch, type Fetch } from '../../src/os/tls-fetch.ts';
import { pem } from '../kit/certificates.ts';
import { exchangeRaw, type HttpApi, openSocket, startHttpApi } from '../kit/http-api.ts';
import { until } from '../kit/until.ts';

const token = 'canary-token-0123456789';
const tls = (name = 'server') => ({ cert: pem(`${name}.pem`), key: pem(`${name}.key`), clientCa: null });
let api: HttpApi | null = null;
const start = async (own: { cert: string; key: string; clientCa: string | null } = tls()): Promise<HttpApi> => {
  api = await startHttpApi({ token: () => token, tls: own });
  return api;
};
afterEach(async () => {
  await api?.close();
  api = null;
});

const client = (more: object = {}): Fetch => createTlsFetch(() => createSecureContext({ ca: pem('ca.pem'), ...more }));
const auth = { authorization: `Bearer ${token}` };
const statusOf = async ({ url }: HttpApi, path: string, headers: Record<string, string> = {}, by = client()) =>
  (await by(new URL(path, url), { headers })).status;

describe('the API over TLS', () => {
  it('answers as ever, token and all', async () => {
    const here = await start();
    expect(here.url).toMatch(/^https:/);
    expect(await statusOf(here, '/health')).toBe(200);
    expect(await statusOf(here, '/v2/pools')).toBe(401);
    expect(await statusOf(here, '/v2/pools', auth)).toBe(200);
  });

  it('says nothing to who speaks plain http, old TLS or nothing at all, and goes on', async () => {
    const here = await start();
    expect(await exchangeRaw(here.port, 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n')).toBeNull();
    const old = connectTls({
      port: here.port,
      host: '127.0.0.1',
      ca: pem('ca.pem'),
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    await expect(new Promise((_, reject) => old.once('error', reject))).rejects.toMatchObject({
      code: expect.stringMatching(/SSL|TLS|EPROTO|ECONNRESET/),
    });
    expect(here.log.filter(({ message }) => message === 'not a TLS client').length).toBeGreaterThan(0);
    expect(here.log.filter(({ level }) => level === 'error')).toEqual([]);
    expect(await statusOf(here, '/health')).toBe(200);
  });

  it('waits for a handshake no longer than for a request', async () => {
    api = await startHttpApi({ tls: tls(), handshakeMs: 200, serverLimits });
    const socket = await openSocket(api.port);
    socket.write('\x16\x03\x01');
    socket.resume();
    await until('the cut', () => socket.closed);
  });

  it('wants a certificate of its authority where one is named, besides the token', async () => {
    const here = await start({ ...tls(), clientCa: pem('ca.pem') });
    const known = client({ cert: pem('client.pem'), key: pem('client.key') });
    expect(await statusOf(here, '/v2/pools', {}, known)).toBe(401);
    expect(await statusOf(here, '/v2/pools', auth, known)).toBe(200);
    await expect(statusOf(here, '/health', auth)).rejects.toThrow();
    await expect(statusOf(here, '/health', auth, client({ cert: pem('stranger.pem'), key: pem('stranger.key') }))).rejects.toThrow();
    expect(here.log.filter(({ fields }) => fields['status'] === 200)).toHaveLength(1);
  });

  it('shows a renewed certificate to the next connection, and keeps those that are open', async () => {
    const here = await start();
    const serialOf = async () => {
      const socket = connectTls({ port: here.port, host: '127.0.0.1', ca: pem('ca.pem') });
      await new Promise((resolve) => socket.once('secureConnect', resolve));
      const { serialNumber }: PeerCertificate = socket.getPeerCertificate();
      return { socket, serialNumber };
    };
    const before = await serialOf();
    here.listening.renew(tls('renewed'));
    const after = await serialOf();
    expect(after.serialNumber).not.toBe(before.serialNumber);
    before.socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    expect(await new Promise((resolve) => before.socket.once('data', (data) => resolve(String(data).slice(0, 15))))).toBe('HTTP/1.1 200 OK');
    after.socket.destroy();
    expect(() => here.listening.renew({ ...tls('renewed'), key: pem('server.key') })).toThrow();
    expect(await statusOf(here, '/health')).toBe(200);
  });
});
