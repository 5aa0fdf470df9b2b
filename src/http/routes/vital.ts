/** Is the process alive, does the node serve, and the numbers: what supervisors and Prometheus ask. */
import { Hono } from 'hono';
import { answer, answerText } from '../answers.ts';
import type { AppEnv } from '../env.ts';
import type { MetricsPort, NodePort } from '../ports.ts';
import { retryAfterSeconds } from '../problems.ts';

const askAgainMs = 1000;

export const vitalRoutes = ({ node }: { readonly node: NodePort }) =>
  new Hono<AppEnv>()
    .get('/health', (c) => answer(c.env, { status: 'ok' as const, version: node.version, uptime_ms: Math.round(node.uptimeMs()) }))
    .get('/ready', (c) => {
      const reasons = node.notReady();
      if (reasons.length === 0) return answer(c.env, { status: 'ready' as const, reasons });
      const body = {
        status: 'not_ready' as const,
        reasons,
        code: 'POOL_UNAVAILABLE' as const,
        message: `not ready: ${reasons.join('; ')}`,
        retryable: true as const,
        retry_after_ms: askAgainMs,
      };
      return answer(c.env, body, 503, { 'Retry-After': retryAfterSeconds(askAgainMs) });
    });

/** Of a pool's and of a port's own: the numbers are the same. */
export const metricsRoutes = ({ metrics }: { readonly metrics: MetricsPort }) =>
  new Hono<AppEnv>().get('/metrics', async (c) => answerText(c.env, await metrics.render(), metrics.contentType));
