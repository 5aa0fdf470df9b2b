/** A server that gives each connection little is asked over several; whatever happens to them, the part stays the beginning of the file. */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import type { Widening } from '../../src/provisioning/jobs/job.ts';
import { fileServer, sha256Of, type Turn } from '../kit/file-server.ts';
import { impatient, passenger, testStore, wantedModel } from '../kit/provisioning.ts';
import { until } from '../kit/until.ts';

const content = randomBytes(3_000_000);
const limited: Turn = { kind: 'limited', bytesPerMs: 1_000 };
const wide: Widening = { afterMs: 100, enoughBytesPerMs: 50_000, leastBytes: 500_000, chunkBytes: 300_000, connections: 4 };
const one: Widening = { ...wide, enoughBytesPerMs: 0 };

const begin = async (context: TestContext, script: readonly Turn[], widening = wide) => {
  const server = await fileServer(context);
  const reference = server.put('/m.gguf', { content, script });
  const store = await testStore({ ...impatient, stallMs: 1_000, widening });
  return { server, store, wanted: wantedModel({ reference, checksum: `sha256:${sha256Of(content)}` }) };
};
const partSize = (dir: string): number =>
  readdirSync(dir).reduce((sum, name) => sum + (name.endsWith('.json') ? 0 : statSync(join(dir, name)).size), 0);

describe('a server that gives each connection little', () => {
  it('is asked over several, and the file is there sooner', async (context) => {
    const took: number[] = [];
    for (const widening of [one, wide]) {
      const { server, store, wanted } = await begin(context, [limited], widening);
      const listener = passenger();
      const begun = performance.now();
      const path = await store.find(wanted, listener);
      took.push(performance.now() - begun);
      expect(readFileSync(path).equals(content)).toBe(true);
      expect(server.asked.length, 'by one, and by ranges').toBe(
        widening === one ? 1 : 1 + Math.ceil((content.length - bytesOf(server.asked[1]?.range)) / wide.chunkBytes),
      );
      expect(listener.progress.at(-1)).toEqual([content.length, content.length]);
    }
    const [alone = 0, together = 0] = took;
    console.log(`3 MB at 1 MB/s for each connection: one ${Math.round(alone)} ms, four ${Math.round(together)} ms`);
    // Three seconds of waiting by its own clock: no other work makes it faster.
    expect(together).toBeLessThan(alone * 0.75);
  });

  it('is asked over one where one is enough, where little is left, and where it serves no ranges', async (context) => {
    const fast = await begin(context, [{ kind: 'serve' }]);
    await fast.store.find(fast.wanted, passenger());
    expect(fast.server.asked).toHaveLength(1);
    const little = await begin(context, [limited], { ...wide, leastBytes: content.length });
    await little.store.find(little.wanted, passenger());
    expect(little.server.asked).toHaveLength(1);
    const narrow = await begin(context, [
      limited,
      { kind: 'ignore_range' },
      { kind: 'ignore_range' },
      { kind: 'ignore_range' },
      { kind: 'ignore_range' },
      limited,
    ]);
    const path = await narrow.store.find(narrow.wanted, passenger());
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(narrow.server.asked.at(-1)?.range, 'gone on with by one').toMatch(/^bytes=\d+-$/);
  });

  it('that cuts a connection, or stalls on one, is gone on with from where the part ends', async (context) => {
    for (const trouble of [
      { kind: 'cut', afterBytes: 1_000 },
      { kind: 'stall', afterBytes: 1_000 },
      { kind: 'status', status: 503 },
    ] as const) {
      const { server, store, wanted } = await begin(context, [limited, limited, trouble, limited]);
      const path = await store.find(wanted, passenger());
      expect(readFileSync(path).equals(content), trouble.kind).toBe(true);
      expect(server.sentBytes(), 'what came is not asked for again, but for what was in memory').toBeLessThan(content.length + 5 * wide.chunkBytes);
    }
  });

  it('behind a redirect is asked itself, and who redirects again only where that address is no longer good', async (context) => {
    const { server, store, wanted } = await begin(context, [limited, limited, { kind: 'status', status: 403 }, limited]);
    const front = await fileServer(context);
    const reference = front.put('/m.gguf', { content, script: [{ kind: 'redirect', to: wanted.reference }] });
    const path = await store.find({ ...wanted, reference }, passenger());
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(front.asked).toHaveLength(2);
    expect(server.asked.length).toBeGreaterThan(3);
  });

  it('that becomes another file meanwhile is not put together with the first', async (context) => {
    const other = randomBytes(content.length);
    const { store, wanted } = await begin(context, [limited, limited, { kind: 'become', content: other }]);
    await expect(store.find(wanted, passenger())).rejects.toMatchObject({ reason: { code: 'digest_mismatch' } });
  });

  it('is left at once where nobody wants it any more, and the part has no holes', async (context) => {
    const { server, store, wanted } = await begin(context, [limited]);
    const listener = passenger();
    const given = store.find(wanted, listener);
    await until('it to be asked over several', () => server.asked.length > 4);
    listener.leave();
    await expect(given).rejects.toThrow('no longer wanted');
    const size = partSize(store.paths.parts);
    const [part = ''] = readdirSync(store.paths.parts).filter((name) => !name.endsWith('.json'));
    expect(readFileSync(join(store.paths.parts, part)).equals(content.subarray(0, size))).toBe(true);
    const path = await store.find(wanted, passenger());
    expect(readFileSync(path).equals(content)).toBe(true);
  });
});

const bytesOf = (range: string | null | undefined): number => Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? Number.NaN);
