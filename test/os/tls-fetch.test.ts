/** Calls over TLS to real servers, with certificates of our own. */
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createSecureContext } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTlsFetch } from '../../src/os/tls-fetch.ts';
import { pem } from '../kit/certificates.ts';

const serverWith = async (
  options: ServerOptions,
  answer: (path: string) => { status: number; headers?: Record<string, string>; body?: string },
): Promise<URL> => {
  const server = createServer(options, (incoming, outgoing) => {
    const { status, headers, body } = answer(incoming.url ?? '');
    outgoing.writeHead(status, headers).end(body);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address() as AddressInfo;
  return new URL(`https://127.0.0.1:${address.port}/`);
};
const own = { cert: pem('server.pem'), key: pem('server.key') };
const trusting = (ca: string, more: object = {}) => createTlsFetch(() => createSecureContext({ ca: pem(ca), ...more }));

describe('A fetch over TLS', () => {
  it('believes the authority it was given, and no other', async () => {
    const url = await serverWith(own, () => ({ status: 200, body: 'grüße' }));
    const answer = await trusting('ca.pem')(url, { method: 'POST', body: 'ä', headers: { 'content-type': 'text/plain' } });
    expect([answer.status, await answer.text()]).toEqual([200, 'grüße']);
    await expect(trusting('other-ca.pem')(url, {})).rejects.toMatchObject({
      message: 'fetch failed',
      cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
    });
  });

  it('believes no certificate that has ended or is of another name', async () => {
    const ended = await serverWith({ cert: pem('expired.pem'), key: pem('expired.key') }, () => ({ status: 200 }));
    await expect(trusting('ca.pem')(ended, {})).rejects.toMatchObject({ cause: { code: 'CERT_HAS_EXPIRED' } });
    const client = await serverWith({ cert: pem('client.pem'), key: pem('client.key') }, () => ({ status: 200 }));
    await expect(trusting('ca.pem')(client, {})).rejects.toMatchObject({ cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
  });

  it('says who it is where it is asked', async () => {
    const url = await serverWith({ ...own, requestCert: true, ca: pem('ca.pem') }, () => ({ status: 204 }));
    expect((await trusting('ca.pem', { cert: pem('client.pem'), key: pem('client.key') })(url, {})).status).toBe(204);
    await expect(trusting('ca.pem')(url, {})).rejects.toMatchObject({ message: 'fetch failed' });
    await expect(trusting('ca.pem', { cert: pem('stranger.pem'), key: pem('stranger.key') })(url, {})).rejects.toMatchObject({
      message: 'fetch failed',
    });
  });

  it('follows no redirect, and ends when it is told to', async () => {
    const url = await serverWith(own, () => ({ status: 302, headers: { location: 'https://elsewhere.example/' } }));
    const answer = await trusting('ca.pem')(url, {});
    expect([answer.status, answer.headers.get('location')]).toEqual([302, 'https://elsewhere.example/']);
    const gone = new AbortController();
    gone.abort(new Error('no longer needed'));
    await expect(trusting('ca.pem')(url, { signal: gone.signal })).rejects.toThrow('no longer needed');
    await expect(trusting('ca.pem')(url, { signal: AbortSignal.timeout(0) })).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});
