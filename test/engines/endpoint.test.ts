import { array, check, constantFrom, property, string, webUrl } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeEndpoint } from '../../src/engines/endpoint.ts';
import { isLoopbackHost } from '../../src/loopback.ts';

const rules = { allowedHosts: ['gpu-7.example', '10.0.0.7'], refusedPorts: [9200] };

describe('An endpoint in a handoff', () => {
  it.each([
    ['http://127.0.0.1:8081', 'http://127.0.0.1:8081'],
    ['http://127.0.0.1:8081/', 'http://127.0.0.1:8081'],
    ['http://localhost:8081', 'http://127.0.0.1:8081'],
    ['HTTP://LocalHost:8081', 'http://127.0.0.1:8081'],
    ['http://127.8.9.1:80', 'http://127.8.9.1:80'],
    ['http://[::1]:8081', 'http://[::1]:8081'],
    ['http://GPU-7.example:8081', 'http://gpu-7.example:8081'],
    ['http://10.0.0.7:8081', 'http://10.0.0.7:8081'],
  ])('%s is taken as %s', (text, endpoint) => {
    expect(judgeEndpoint(text, rules)).toEqual({ endpoint, problem: null });
  });

  it.each([
    'http://127.1:8081',
    'http://0x7f.1:8081',
    'http://2130706433:8081',
    'http://0177.0.0.1:8081',
    'http://[::ffff:127.0.0.1]:8081',
    'http://[0:0:0:0:0:0:0:1]:8081',
    'http://0.0.0.0:8081',
    'http://169.254.169.254:80',
    'http://localhost.evil:8081',
    'http://localhost.:8081',
    'http://127.0.0.1.evil:8081',
    'http://10.0.0.8:8081',
    'http://user@127.0.0.1:8081',
    'http://evil@127.0.0.1:8081',
    'http://127.0.0.1:8081@evil',
    'http://127.0.0.1:8081#@evil',
    'http://127.0.0.1:8081?x',
    'http://127.0.0.1:8081/v1',
    'http://127.0.0.1:8081/..',
    'http://127.0.0.1:8081\\evil',
    'http:\\\\127.0.0.1:8081',
    'http:127.0.0.1:8081',
    'http://127.0.0.1:80\t81',
    ' http://127.0.0.1:8081',
    'http://127.0.0.1:8081\n',
    'http://１２７.0.0.1:8081',
    'http://127.0.0.1',
    'http://127.0.0.1:0',
    'http://127.0.0.1:65536',
    'http://127.0.0.1:08081',
    'http://127.0.0.1:9200',
    'https://127.0.0.1:8081',
    'file:///etc/passwd',
    'unix:/run/x.sock',
    '127.0.0.1:8081',
    '',
    `http://127.0.0.1:8081/${'a'.repeat(3000)}`,
  ])('%j is refused with a sentence', (text) => {
    const verdict = judgeEndpoint(text, rules);
    expect(verdict.endpoint).toBeNull();
    expect(verdict.problem).toMatch(/^expected an endpoint like http:\/\/127\.0\.0\.1:8081, found /);
  });

  it('never leads anywhere but to loopback or an allowed host, whatever is written', () => {
    const holds = (text: string): boolean => {
      const { endpoint } = judgeEndpoint(text, rules);
      if (endpoint === null) return true;
      const url = new URL(endpoint);
      return (isLoopbackHost(url.hostname) || rules.allowedHosts.includes(url.hostname)) && endpoint === `http://${url.hostname}:${url.port || 80}`;
    };
    const spice = ['127.0.0.1', 'localhost', '@', ':8081', '[::1]', '\t', '#', '?', '/', '\\', '.', '0x7f', 'evil', '%00', '10.0.0.7'];
    expect(check(property(webUrl(), holds), { numRuns: 3_000 }).failed).toBe(false);
    expect(
      check(
        property(string({ unit: 'grapheme' }), (text) => holds(`http://${text}`)),
        { numRuns: 3_000 },
      ).failed,
    ).toBe(false);
    const mixed = array(constantFrom(...spice), { maxLength: 8 }).map((parts) => `http://${parts.join('')}`);
    expect(check(property(mixed, holds), { numRuns: 5_000 }).failed).toBe(false);
  });
});
