/** Asks for the token, where the daemon wants one. It is handed to `api.ts` and kept nowhere else. */
import { hasToken, setToken } from './api.ts';
import { type Described, h } from './dom.ts';

let wanted: string | null = null;
let again: () => void = () => undefined;

export const wantToken = (message: string, tryAgain: () => void): void => {
  wanted = hasToken() ? message : 'This daemon wants a token.';
  again = tryAgain;
};

export const isTokenWanted = (): boolean => wanted !== null;

export const loginForm = (): Described =>
  h(
    'form',
    { class: 'login', onsubmit: submit },
    h('h1', {}, 'Sign in'),
    h('p', { role: 'alert', class: hasToken() ? 'bad' : '' }, wanted ?? ''),
    h(
      'label',
      {},
      'Token',
      h('input', { type: 'password', name: 'token', autocomplete: 'off', spellcheck: 'false', required: true, autofocus: true }),
    ),
    h('button', { class: 'primary', type: 'submit' }, 'Show the node'),
    h(
      'p',
      { class: 'quiet' },
      'It is the one in LLORCH_API_TOKEN. This page keeps it in memory until it is closed or loaded again, and nowhere else.',
    ),
  );

const submit = (event: Event): void => {
  event.preventDefault();
  const form = event.target instanceof HTMLFormElement ? event.target : null;
  const token = form === null ? null : new FormData(form).get('token');
  if (typeof token !== 'string' || token.trim() === '') return;
  setToken(token.trim());
  form?.reset();
  wanted = null;
  again();
};
