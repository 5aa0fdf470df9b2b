/** A daemon with certificates: its API and its words with orchestratord over TLS, the command line, and a renewal. */
import { readFileSync } from 'node:fs';
import { copyFile, rename } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, createServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { describe, expect, it, type TestContext } from 'vitest';
import { startOrchestratorStandIn } from '../../src/demo/orchestrator-stand-in.ts';
import { certificatePath, pem } from '../kit/certificates.ts';
import { type Daemon, daemonHouse, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { runCommand } from '../kit/run-command.ts';

const token = 'canary-token-0123456789';
// For the fetch of these tests; the daemon and the command line are told by name.
setDefaultCACertificates([...getCACertificates('default'), pem('ca.pem')]);

const withCertificates = async (t: TestContext) => {
  const house = await daemonHouse(t, { LLORCH_API_TOKEN: token });
  const put = async (name: string, from: string): Promise<string> => {
    const file = join(house.dir, name);
    await copyFile(certificatePath(from), `${file}.new`);
    await rename(`${file}.new`, file);
    return file;
  };
  const files = {
    POOL_MANAGERD_TLS_CERT: await put('cert.pem', 'server.pem'),
    POOL_MANAGERD_TLS_KEY: await put('key.pem', 'server.key'),
    POOL_MANAGERD_TLS_CA: await put('ca.pem', 'ca.pem'),
  };
  await house.declare([]);
  return { house, put, files };
};

const serialOf = (daemon: Daemon): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connectTls({ port: Number(new URL(daemon.url).port), host: '127.0.0.1', ca: pem('ca.pem') });
    socket.once('error', reject).once('secureConnect', () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
  });

describe.concurrent('with certificates', patient, () => {
  it('the API is https, and so is orchestratord, which is shown who we are (S35)', async (t) => {
    const standIn = await startOrchestratorStandIn({ token });
    const proxy = createServer(
      { cert: pem('server.pem'), key: pem('server.key'), ca: pem('ca.pem'), requestCert: true, rejectUnauthorized: true },
      (socket) => {
        const inner = connect(Number(new URL(standIn.url).port), '127.0.0.1');
        socket.pipe(inner).pipe(socket);
        socket.on('error', () => inner.destroy());
        inner.on('error', () => socket.destroy());
      },
    );
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    t.onTestFinished(async () => {
      proxy.close();
      await standIn.close();
    });
    const { house, files } = await withCertificates(t);
    const address = proxy.address() as AddressInfo;
    const url = `https://localhost:${address.port}`;
    const daemon = await house.start({ ...files, ORCHESTRATORD_URL: url });
    expect(daemon.url).toMatch(/^https:/);
    await asking('the registration', () => standIn.node('node-0')?.online === true);
    await daemon.end();

    const forged = await house.start({ ...files, ORCHESTRATORD_URL: url, POOL_MANAGERD_TLS_CA: certificatePath('other-ca.pem') });
    const { registration } = await asking('the refusal', async () => {
      const node = await forged.node();
      return node.registration.last_error === null ? null : node;
    });
    expect(registration.last_error).toContain('its certificate is of no authority that is trusted here');
    expect(standIn.requests().every(({ authorized }) => authorized)).toBe(true);
  });

  it('the command line is told whom to believe, and shows a certificate where one is wanted', async (t) => {
    const { house, files } = await withCertificates(t);
    house.begin({ ...files, POOL_MANAGERD_TLS_CLIENT_CA: certificatePath('ca.pem') });
    const log = join(house.dir, 'daemon-0.log');
    const url = await asking('the address', () => /"url":"(https:[^"]+)"/.exec(readFileSync(log, 'utf8'))?.[1]);
    await expect(fetch(`${url}/health`)).rejects.toThrow('fetch failed');
    const asked = (...more: string[]) => runCommand(['status', '--url', url, ...more], { env: { LLORCH_API_TOKEN: token } });
    const own = ['--cert', certificatePath('client.pem'), '--key', certificatePath('client.key')];
    expect(await asked('--ca', certificatePath('ca.pem'), ...own)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('node-0') });
    expect(await asked('--ca', certificatePath('ca.pem'))).toMatchObject({ exitCode: 69 });
    expect(await asked('--ca', certificatePath('other-ca.pem'), ...own)).toMatchObject({
      exitCode: 69,
      stderr: expect.stringContaining('certificate'),
    });
    expect(await asked('--cert', certificatePath('client.pem'))).toMatchObject({ exitCode: 64 });
    expect(await asked('--ca', '/nowhere')).toMatchObject({ exitCode: 64, stderr: expect.stringContaining('--ca: cannot read /nowhere') });
  });

  it('a renewed one is taken at a reload, and a pair that does not belong together is told and changes nothing', async (t) => {
    const { house, put, files } = await withCertificates(t);
    const daemon = await house.start(files);
    const first = await serialOf(daemon);
    await put('key.pem', 'renewed.key');
    daemon.signal('SIGHUP');
    await asking('the mistake', () => daemon.log().find(({ msg }) => msg.includes('expected the key of the certificate')));
    expect(await serialOf(daemon)).toBe(first);
    await put('cert.pem', 'renewed.pem');
    daemon.signal('SIGHUP');
    await asking('the renewal', () => daemon.log().find(({ msg }) => msg.includes('the certificate was read again')));
    expect(await serialOf(daemon)).not.toBe(first);
  });

  it('that are not good stop the start, with one line each (78)', async (t) => {
    const { house, files } = await withCertificates(t);
    const { code, stderr } = await house.refused({
      ...files,
      POOL_MANAGERD_TLS_KEY: certificatePath('client.key'),
      POOL_MANAGERD_TLS_CA: '/nowhere',
    });
    expect(code).toBe(78);
    expect(
      stderr
        .trim()
        .split('\n')
        .map((line) => line.split(':')[0]),
    ).toEqual(['POOL_MANAGERD_TLS_KEY', 'POOL_MANAGERD_TLS_CA']);
    const alone = await house.refused({ POOL_MANAGERD_TLS_CLIENT_CA: certificatePath('ca.pem') });
    expect(alone.stderr).toContain('POOL_MANAGERD_TLS_CLIENT_CA: expected POOL_MANAGERD_TLS_CERT');
  });
});
