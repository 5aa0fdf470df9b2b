/** The OpenAPI document as it is committed: that of an app around a daemon that does nothing, at this package's version. */
import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { createApp } from '../../src/http/app.ts';
import { createFakeInspect, createFakeJournal, createFakeLogs, fakeMetrics } from './fake-history.ts';
import { createFakeNode } from './fake-node-port.ts';

const packageSchema = v.object({ version: v.string() });

export const openapiText = async (): Promise<string> => {
  const { version } = v.parse(packageSchema, JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')));
  const app = createApp({
    node: createFakeNode({ version }),
    inspect: createFakeInspect(),
    journal: createFakeJournal(),
    logs: createFakeLogs(),
    metrics: fakeMetrics,
    parsePoolSpec: () => ({ ok: false, mistakes: [] }),
    auth: { token: () => null, bind: { host: '127.0.0.1', port: 9200, loopback: true }, allowedHosts: [] },
  });
  return `${JSON.stringify(await app.document(), null, 2)}\n`;
};
