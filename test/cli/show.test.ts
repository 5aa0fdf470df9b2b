/** A pool as people see it after its engine has ended. */
import * as v from 'valibot';
import { expect, it } from 'vitest';
import { poolSchema } from '../../src/cli/answers.ts';
import { poolDetail } from '../../src/cli/show.ts';
import { poolStatus } from '../kit/views.ts';

const failed = (tail: readonly string[]) =>
  poolDetail(
    v.parse(poolSchema, {
      ...poolStatus(),
      last_error: { code: 'cuda_oom', message: 'it did not fit', at: '2026-01-01T00:00:00.000Z', exit: { code: 1, signal: null }, tail },
    }),
    false,
  );

it('shows the last ten lines of what the engine said, and how many came before them', () => {
  const lines = failed(Array.from({ length: 12 }, (_, index) => `line ${index}`));
  expect(lines.slice(-13)).toEqual([
    'last error:    cuda_oom: it did not fit (2026-01-01T00:00:00.000Z)',
    'it last said:',
    '  … (2 lines before)',
    ...Array.from({ length: 10 }, (_, index) => `  line ${index + 2}`),
  ]);
});

it('shows few lines whole, none as nothing, and no control characters', () => {
  expect(failed(['a', '\u001b[2Jb']).slice(-3)).toEqual(['it last said:', '  a', expect.not.stringContaining('\u001b')]);
  expect(failed([]).at(-1)).toContain('last error:');
});
