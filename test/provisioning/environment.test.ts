/** What of a Python environment is looked at before it is carried: its links, and what it says of its interpreter. */
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/provisioning/move/environment/interpreter.ts';
import { type Laid, wrongIn } from '../../src/provisioning/move/environment/links.ts';

describe('the links of an environment', () => {
  const python = '/usr/bin/python3';
  const laid = (links: Readonly<Record<string, string>>, more: Partial<Laid> = {}): Laid => ({
    files: ['bin/vllm', 'lib/python3.11/site.py'],
    folders: ['include'],
    links: Object.entries(links).map(([path, target]) => ({ path, target })),
    ...more,
  });

  it('may lead to its interpreter, and to what is in it', () => {
    expect(
      wrongIn(laid({ 'bin/python3': python, 'bin/python': 'python3', lib64: 'lib', 'bin/also': '../lib/python3.11/site.py' }), python),
    ).toBeNull();
    expect(wrongIn(laid({ 'include/x': '../bin/vllm' }, { folders: [] }), python)).toBeNull();
  });

  it.each([
    ['another file of the machine', 'bin/x', '/usr/bin/python3.11'],
    ['its interpreter by a detour', 'bin/x', '/usr/bin/../bin/python3'],
    ['a relative way to its interpreter', 'bin/x', '../../usr/bin/python3'],
    ['itself', 'bin/x', 'x'],
    ['the environment', 'x', '.'],
    ['a folder that it is in', 'bin/x', '../bin'],
    ['nothing', 'bin/x', ''],
    ['what is not there', 'bin/x', 'y'],
    ['below a file', 'bin/x', 'vllm/y'],
    ['a name with a line break', 'bin/x', 'vllm\n'],
  ])('may not lead to %s', (_what, path, target) => {
    expect(wrongIn(laid({ [path]: target }), python)).toContain('neither in it nor its interpreter');
  });

  it('may not lead to each other in a circle', () => {
    expect(wrongIn(laid({ a: 'b', b: 'c', c: 'a' }), python)).toContain('the link "a"');
  });

  it('have a name that nothing else has, and nothing below it', () => {
    expect(wrongIn(laid({ 'bin/vllm': python }), python)).toBe('a name twice');
    expect(wrongIn(laid({ include: 'lib' }), python)).toBe('a name twice');
    expect(wrongIn(laid({ lib64: 'lib', 'lib64/x': '../bin/vllm' }), python)).toContain('"lib64", which is no folder');
    expect(wrongIn(laid({ lib: 'bin' }), python)).toContain('"lib", which is no folder');
    expect(wrongIn(laid({}, { files: ['a', 'a/b'] }), python)).toContain('"a", which is no folder');
  });
});

describe('pyvenv.cfg', () => {
  it('is read as venv, uv and virtualenv write it', () => {
    const venv = 'home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\nexecutable = /usr/bin/python3.11\n';
    expect(readConfig(venv)).toEqual({ home: '/usr/bin', version: '3.11.2' });
    expect(readConfig('home = /opt/py/bin\nimplementation = CPython\nuv = 0.8.0\nversion_info = 3.12.4\n')).toEqual({
      home: '/opt/py/bin',
      version: '3.12.4',
    });
    expect(readConfig('home=/usr/bin\nversion_info=3.13.0.final.0\n')).toEqual({ home: '/usr/bin', version: '3.13.0' });
  });

  it.each(['', 'version = 3.11.2\n', 'home = /usr/bin\n', 'home = /usr/bin\nversion = 3\n'])('that does not say enough is told: %j', (content) => {
    expect(readConfig(content)).toContain('no pyvenv.cfg in it');
  });
});
