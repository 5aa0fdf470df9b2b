/** Writes docs/metrics.md: `node tools/write-metrics-docs.ts`. A test fails while the file is stale. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { metricsDocs } from '../src/observe/metric-docs.ts';

writeFileSync(join(import.meta.dirname, '..', 'docs', 'metrics.md'), metricsDocs());
