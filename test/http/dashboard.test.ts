/** The dashboard's files as they are served: whole, small, of this daemon only, and changed only when they change. */
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readServedFiles, type ServedFiles } from '../../src/http/dashboard/files.ts';
import { type HttpApi, startHttpApi } from '../kit/http-api.ts';

let api: HttpApi;
let files: ServedFiles;
beforeAll(async () => {
  files = await readServedFiles();
  api = await startHttpApi({ token: () => 'a-token-of-this-test' });
});
afterAll(() => api.close());

const text = (name: string): string => new TextDecoder().decode(files.get(name)?.plain);
const scripts = (): readonly string[] => [...files.keys()].filter((name) => name.endsWith('.ts'));

describe('the page', () => {
  it.each(['/', '/statecharts'])('comes at %s without a token, under a policy that allows nothing from elsewhere', async (path) => {
    const response = await api.fetch(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(await response.text()).toContain('<main id="main"');
  });

  it('is answered 304 while it is the same, compressed or not', async () => {
    for (const encoding of ['gzip', 'identity']) {
      const first = await api.fetch('/assets/main.ts', { headers: { 'accept-encoding': encoding } });
      const etag = first.headers.get('etag') ?? '';
      expect(etag).toMatch(/^"[\w-]{22}"$/);
      expect(await first.text()).toBe(text('main.ts'));
      const again = await api.fetch('/assets/main.ts', { headers: { 'if-none-match': `"other", W/${etag}` } });
      expect([again.status, await again.text()]).toEqual([304, '']);
      expect((await api.fetch('/assets/main.ts', { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
    }
  });

  it.each(['none.ts', '..%2fapp.ts', '..%2f..%2f..%2fpackage.json', 'tsconfig.json', 'pool.json'])('has no file %s', async (name) => {
    const response = await api.fetch(`/assets/${name}`);
    expect([response.status, Object(await response.json()).code]).toEqual([404, 'NOT_FOUND']);
  });

  it('weighs less than 150 kB, all of it, charts and all', () => {
    const weight = [...files.values()].reduce((sum, { gzipped }) => sum + gzipped.byteLength, 0);
    expect(weight).toBeLessThan(150_000);
    for (const { plain, gzipped } of files.values()) expect(gunzipSync(gzipped)).toEqual(Buffer.from(plain));
  });
});

describe('what is served', () => {
  it('names no other place', () => {
    for (const name of files.keys())
      expect([
        name,
        text(name)
          .replaceAll(/http:\/\/www\.w3\.org\/[\w/.]+/g, '')
          .match(/https?:\/\/[^\s'"`)]+/g),
      ]).toEqual([name, null]);
  });

  it('imports only what is served', () => {
    const imported = scripts().flatMap((name) =>
      [...text(name).matchAll(/^(?:import|export)[^;]*? from '([^']+)';/gm)].map(([, to]) => [name, to?.replace('./', '') ?? '']),
    );
    expect(imported.length).toBeGreaterThan(30);
    expect(imported.filter(([, to]) => !files.has(to ?? ''))).toEqual([]);
  });

  it('never reads text as markup and never keeps anything', () => {
    for (const name of scripts())
      expect([
        name,
        text(name).match(
          /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|localStorage|sessionStorage|document\.cookie|indexedDB/g,
        ),
      ]).toEqual([name, null]);
  });
});
