/** The page that holds the viewer: takes events from the relay and hands them on to it. Says so where the viewer does not answer. */
import { createHash } from 'node:crypto';

const style = 'html,body{margin:0;height:100%}iframe{display:block;width:100%;height:100%;border:0}p{font:1rem/1.5 system-ui,sans-serif;margin:1rem}';

/** Messages that wait for the viewer; more than the relay keeps. */
const script = `
const frame = document.querySelector('iframe');
const silence = document.querySelector('p');
const viewer = new URL(frame.src).origin;
let waiting = [];
let connected = false;
addEventListener('message', ({ origin, data }) => {
  if (origin !== viewer || data?.type !== '@statelyai.connected') return;
  connected = true;
  silence.hidden = true;
  for (const message of waiting) frame.contentWindow.postMessage(message, viewer);
  waiting = [];
});
const events = new EventSource('events');
events.addEventListener('told', ({ data }) => {
  const message = JSON.parse(data);
  if (connected) frame.contentWindow.postMessage(message, viewer);
  else waiting = [...waiting, message].slice(-5000);
});
events.addEventListener('reset', () => location.reload());
setTimeout(() => { silence.hidden = connected; }, 10000);
`;

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Nothing but this script, this style and the viewer. */
export const policyFor = (viewer: URL): string =>
  `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; connect-src 'self'; frame-src ${viewer.origin}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** `offline`: where the charts are seen without a network. */
export const pageFor = (viewer: URL, offline: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Statecharts of pool-managerd</title><style>${style}</style></head>
<body><p hidden>The viewer at ${escaped(viewer.href)} does not answer. It comes from the network; the charts at work are also, without one, at
<a href="${escaped(offline)}">${escaped(offline)}</a>.</p>
<iframe src="${escaped(viewer.href)}" title="Viewer of Stately" referrerpolicy="no-referrer" sandbox="allow-scripts allow-same-origin allow-forms allow-popups"></iframe>
<script>${script}</script></body></html>
`;

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
