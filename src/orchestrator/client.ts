/**
 * One call to orchestratord, with a deadline and a bounded answer, as a row of the table `CallOutcome`.
 *
 * Never throws and never tries again: when to call is the registration chart's business. The token appears in no message.
 */
import { assertNever } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { CallOutcome } from '../machines/registration/actors.ts';
import { readBounded } from '../read-bounded.ts';
import type { Answered, CallName, OrchestratorCall } from './call.ts';
import { judgeAnswer } from './judge-answer.ts';
import { addressProblem, endpointOf, type Orchestrator } from './target.ts';

/** Milliseconds until a call is given up. */
export const callTimeouts = { register: 5_000, heartbeat: 1_000, deregister: 5_000 } as const satisfies Record<CallName, number>;

const longestAnswerBytes = 256 * 1024;

export const callOrchestrator = async (target: Orchestrator, call: OrchestratorCall, signal: AbortSignal): Promise<CallOutcome> => {
  const problem = addressProblem(target);
  if (problem !== null) return { result: 'rejected', message: problem, ...stamp() };
  const { method, path } = routeOf(call);
  const url = endpointOf(target, path);
  const what = `${method} ${url.href}`;
  try {
    const answered = await exchange(target, url, method, call, signal);
    return { ...judgeAnswer(what, call, answered), ...stamp() };
  } catch (thrown) {
    return { result: 'unreachable', message: `${what}: ${whyNot(thrown, callTimeouts[call.name])}`, ...stamp() };
  }
};

const routeOf = ({ name, nodeId }: OrchestratorCall): { readonly method: 'POST' | 'DELETE'; readonly path: string } => {
  const node = `v2/nodes/${encodeURIComponent(nodeId)}`;
  switch (name) {
    case 'register':
      return { method: 'POST', path: 'v2/nodes/register' };
    case 'heartbeat':
      return { method: 'POST', path: `${node}/heartbeat` };
    case 'deregister':
      return { method: 'DELETE', path: node };
    default:
      return assertNever(name);
  }
};

const exchange = async (target: Orchestrator, url: URL, method: string, call: OrchestratorCall, signal: AbortSignal): Promise<Answered> => {
  const token = target.token();
  const response = await (target.fetch ?? fetch)(url, {
    method,
    headers: {
      accept: 'application/json',
      ...(call.body === null ? {} : { 'content-type': 'application/json' }),
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    },
    body: call.body === null ? null : JSON.stringify(call.body),
    /** Never followed: the token is for this address only. */
    redirect: 'manual',
    signal: AbortSignal.any([signal, AbortSignal.timeout(callTimeouts[call.name])]),
  });
  return { status: response.status, location: response.headers.get('location'), text: await readBounded(response, longestAnswerBytes) };
};

const unknownAuthority = /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER_CERT|VERIFY_LEAF_SIGNATURE)\w*)$/;

/** fetch hides the reason in `cause`. */
const whyNot = (thrown: unknown, timeoutMs: number): string => {
  if (!(thrown instanceof Error)) return String(thrown);
  if (thrown.name === 'TimeoutError') return `no answer within ${timeoutMs} ms`;
  if (thrown.name === 'AbortError') return 'given up, since it is no longer needed';
  const { cause } = thrown;
  if (!(cause instanceof Error)) return thrown.message;
  const code = 'code' in cause ? String(cause.code) : cause.name;
  if (code === 'ECONNREFUSED') return 'connection refused; is orchestratord running?';
  if (unknownAuthority.test(code))
    return `its certificate is of no authority that is trusted here (${code}); set POOL_MANAGERD_TLS_CA to the file with its authority`;
  return cause.message || code;
};
