/** A registration's snapshot in the API's words: `RegistrationView`. Pure. */
import { rfc3339OrNull } from '../policies/describe.ts';
import type { RegistrationView } from '../views.ts';
import type { RegistrationContext } from './context.ts';

export interface RegistrationSnapshot {
  readonly value: RegistrationView['state'] | { readonly registered: string };
  readonly context: RegistrationContext;
}

export const registrationView = ({ value, context }: RegistrationSnapshot): RegistrationView => ({
  state: typeof value === 'string' ? value : 'registered',
  orchestrator_url: context.orchestratorUrl,
  attempt: context.attempt,
  heartbeat_sequence: context.sequence,
  heartbeat_interval_ms: context.intervalMs,
  last_success_at: rfc3339OrNull(context.lastSuccess?.at),
  last_error: context.lastError,
});
