/** Where a pools file leads editors: to the JSON Schema as it is installed, in each form of the program. */
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { exampleFor } from '../../src/config/example.ts';
import { installedSchema } from '../../src/config/installed-schema.ts';
import { poolsJsonSchemaText } from '../../src/config/json-schema.ts';
import { parsePools } from '../../src/config/pools-file.ts';

const root = join(import.meta.dirname, '../..');
const generated = join(root, 'docs/schemas/pools.schema.json');

const place = async (): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'installed-schema-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
};

/** As the package for npm has it. */
const unpacked = async (dir: string): Promise<{ readonly script: string; readonly schema: string }> => {
  const schema = join(dir, 'docs/schemas/pools.schema.json');
  await mkdir(dirname(schema), { recursive: true });
  await copyFile(generated, schema);
  return { script: pathToFileURL(join(dir, 'lib/main.js')).href, schema };
};

const leadsTo = (text: string): string | undefined => /^# yaml-language-server: \$schema=(\S+)$/m.exec(text)?.[1];

describe('the schema', () => {
  it('of a clone is the generated one', () => {
    expect(installedSchema()).toBe(generated);
  });

  it('of the package for npm is the one in it', async () => {
    const { script, schema } = await unpacked(await place());
    expect(installedSchema({ form: 'package', script, executable: process.execPath })).toBe(schema);
  });

  it('in a folder with a blank is named by a URL, since the blank would end the path', async () => {
    const { script, schema } = await unpacked(join(await place(), 'with blank'));
    const named = installedSchema({ form: 'package', script, executable: process.execPath }) ?? '';
    expect(named).toMatch(/^file:\/\/\S+$/);
    expect(fileURLToPath(named)).toBe(schema);
  });

  it('of the executable is where packaging/install puts it, where the pools file beside it leads too', async () => {
    const dir = await place();
    execFileSync(join(root, 'packaging/install'), [dir]);
    const found = installedSchema({ form: 'executable', script: import.meta.url, executable: join(dir, 'usr/bin/pool-managerd') });
    expect(found).toBe(join(dir, 'usr/share/pool-managerd/pools.schema.json'));
    expect(await readFile(found ?? '', 'utf8')).toBe(poolsJsonSchemaText());
    expect(`${dir}${leadsTo(await readFile(join(dir, 'etc/pool-managerd/pools.yaml'), 'utf8'))}`).toBe(found);
  });

  it('of an executable alone is nowhere', async () => {
    expect(installedSchema({ form: 'executable', script: import.meta.url, executable: join(await place(), 'bin/pool-managerd') })).toBeNull();
  });
});

describe('the example', () => {
  it('leads to what it is given, and is a valid pools file', () => {
    const text = exampleFor('/usr/share/pool-managerd/pools.schema.json');
    expect(leadsTo(text)).toBe('/usr/share/pool-managerd/pools.schema.json');
    expect(parsePools(text, { file: 'example' })).toMatchObject({ ok: true, warnings: [] });
  });

  it('says how the schema is made where none was installed', () => {
    const text = exampleFor(null);
    expect(leadsTo(text)).toBe('pools.schema.json');
    expect(text).toContain('pool-managerd config schema > pools.schema.json');
    expect(parsePools(text, { file: 'example' })).toMatchObject({ ok: true, warnings: [] });
  });
});
