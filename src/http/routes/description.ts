/** `GET /openapi.json`: made once, at the first request. */
import { Hono } from 'hono';
import { answer } from '../answers.ts';
import type { AppEnv } from '../env.ts';

export const descriptionRoutes = (describe: () => Promise<object>) => {
  let made: Promise<object> | null = null;
  return new Hono<AppEnv>().get('/openapi.json', async (c) => {
    made ??= describe();
    return answer(c.env, await made);
  });
};
