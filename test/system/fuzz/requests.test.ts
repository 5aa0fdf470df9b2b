/** Ten thousand pool ids and request bodies that nobody meant well, over real sockets. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { parsePoolSpec } from '../../../src/config/pool-spec.ts';
import { openStateStore } from '../../../src/state/files.ts';
import { growthOver } from '../../fuzz/memory.ts';
import { cases, manyOf, mixed, nearly } from '../../fuzz/mutations.ts';
import { pipeline } from '../../fuzz/pipeline.ts';
import { temporaryDir } from '../../kit/engine-process.ts';
import { type HttpApi, startHttpApi } from '../../kit/http-api.ts';

const wellFormed = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const ids = manyOf(mixed(['pool-0', 'a', 'b1', '-', 'x'], 4));

let api: HttpApi | null = null;
afterEach(async () => {
  await api?.close();
  api = null;
});

const troubles = ({ log }: HttpApi): readonly unknown[] => log.filter(({ level }) => level === 'error');
const tally = (answers: readonly { readonly status: number }[]): readonly number[] => [...new Set(answers.map(({ status }) => status))].sort();

describe('Ten thousand', () => {
  it('pool ids in a path reach no pool but one of that very id (S12)', async () => {
    const here = await startHttpApi();
    api = here;
    const paths = ids.map((id, index) => `/v2/pools/${index % 3 === 0 ? raw(id) : encodeURIComponent(id.toWellFormed())}/preload`);
    let answers: readonly { readonly status: number }[] = [];
    const grown = await growthOver(async () => {
      answers = await pipeline(
        here.port,
        paths.map((path) => Buffer.from(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`, 'latin1')),
      );
      here.log.length = 0;
    });
    expect(answers).toHaveLength(cases);
    expect(tally(answers)).toEqual([202, 400, 404, 405]);
    for (const [name, id] of here.node.asked) expect([name, wellFormed.test(String(id))]).toEqual(['preload', true]);
    expect(here.node.asked.length).toBeGreaterThan(100);
    expect(troubles(here)).toEqual([]);
    expect(grown).toBeLessThan(24 * 1024 * 1024);
  });

  it('pool ids name no file outside of their folder (S12)', async () => {
    const dir = await temporaryDir();
    const stateDir = join(dir, 'state');
    const { declared } = await openStateStore(stateDir);
    let refused = 0;
    for (const id of new Set(ids)) {
      const found = await declared.read(id).catch(() => 'refused');
      if (found === 'refused') refused += 1;
      expect(found === 'refused', JSON.stringify(id)).toBe(!wellFormed.test(id));
    }
    expect(refused).toBeGreaterThan(1000);
    expect(await readdir(dir)).toEqual(['state']);
  });

  it('request bodies are taken or refused, and none breaks the daemon (S14, S19, S20, S37)', async () => {
    const here = await startHttpApi({ parsePoolSpec });
    api = here;
    const bodies = manyOf(
      nearly({
        id: ['pool-1', 'pool-2', 'b'],
        engine: ['llamacpp', 'vllm', 'custom'],
        model: ['/models/m.gguf', '--rpc', '-m'],
        devices: [[0], [0, 1], ['GPU-1'], [-1], []],
        slots: [1, 4],
        ctx: [4096],
        host: ['127.0.0.1', '0.0.0.0'],
        env: [{}, { A: 'b' }, { LD_PRELOAD: '/x' }],
        flags: [[], ['--no-mmap'], ['--rpc', 'x']],
        ports: [[18_080], { first: 1, last: 2 }],
        deadline_ms: [1000],
        new_model_ref: ['m'],
      }),
    );
    const routes = ['/v2/pools', '/v2/pools', '/v2/pools', '/v2/pools/pool-0/drain', '/v2/pools/pool-0/reload'];
    let answers: readonly { readonly status: number; readonly body: string }[] = [];
    const grown = await growthOver(async () => {
      const requests = bodies.map((text, index) => {
        const body = Buffer.from(text, 'utf8');
        const head = `POST ${routes[index % routes.length]} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
        return Buffer.concat([Buffer.from(head), body]);
      });
      answers = await pipeline(
        here.port,
        requests.filter(({ length }) => length < 64 * 1024),
      );
      here.log.length = 0;
      here.node.statuses = [];
      here.node.asked.length = 0;
    });
    expect(answers.length).toBeGreaterThan(cases - 100);
    expect(tally(answers)).toEqual([201, 202, 400, 422]);
    for (const { status, body } of answers)
      if (status >= 400) expect(JSON.parse(body)).toMatchObject({ code: 'INVALID_PARAMS', message: expect.any(String) });
    expect(troubles(here)).toEqual([]);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect((await here.fetch('/health')).status).toBe(200);
    answers = [];
    expect(grown).toBeLessThan(48 * 1024 * 1024);
  });
});

/** What a request line can hold of it, as it is. */
const raw = (id: string): string => id.replaceAll(/[^\x21-\x7e]|[?#]/g, '');
