/** The node in a few lines: what it is, how it stands, what is wrong, and its standing with the control plane. */
import type { NodeView } from '../../../machines/views.ts';
import { order } from './api.ts';
import { type Described, h } from './dom.ts';
import { outcomeOf, outcomeText } from './outcome.ts';
import { known } from './store.ts';
import { since } from './times.ts';
import { bytes, inWords, known as orDash } from './words.ts';

export const nodeFacts = (): Described[] => {
  const { node } = known;
  if (node === null) return [];
  return [
    h(
      'dl',
      { class: 'strip' },
      ...fact('Node', h('b', {}, node.node_id), ` ${inWords(node.lifecycle)}`),
      ...fact('GPUs', `${inWords(node.gpus_state)}${node.gpu_source === null ? '' : ` by ${node.gpu_source}`}`),
      ...fact('Driver', node.driver_version === null && node.simulated ? 'none: simulated' : orDash(node.driver_version)),
      ...fact('Host', `${node.host.cpu_cores} cores, ${bytes(node.host.ram_total_bytes)}, ${node.host.os}`),
      ...fact('Control plane', ...registration(node)),
    ),
    ...warnings(node),
  ];
};

const fact = (name: string, ...value: (Described | string)[]): Described[] => [h('div', {}, h('dt', {}, name), h('dd', {}, ...value))];

const registration = ({ node_id, registration: { state, orchestrator_url, last_success_at, last_error } }: NodeView): (Described | string)[] => {
  if (state === 'disabled') return ['none: a single node'];
  return [
    h('span', { class: state === 'registered' ? 'good' : 'bad' }, inWords(state)),
    ...(last_success_at === null ? [] : [', heard from ', since(last_success_at), ' ago']),
    h('span', { class: 'address' }, orchestrator_url ?? ''),
    h(
      'span',
      { class: 'row' },
      h('button', { class: 'small', onclick: () => outcomeOf('node', 'Registered', order('POST', '/v2/nodes/register')) }, 'Register now'),
      h(
        'button',
        {
          class: 'small',
          onclick: () => outcomeOf('node', 'Heartbeat answered', order('POST', `/v2/nodes/${encodeURIComponent(node_id)}/heartbeat`)),
        },
        'Heartbeat now',
      ),
    ),
    ...(last_error === null ? [] : [h('span', { class: 'bad block' }, last_error)]),
    outcomeText('node'),
  ];
};

const warnings = ({ simulated, gpu_error, degraded }: NodeView): Described[] => {
  const lines = [...(gpu_error === null ? [] : [gpu_error]), ...degraded];
  return [
    ...(simulated ? [h('p', { class: 'note' }, 'Simulated GPUs: no GPU is used; their memory is made up of what pools are granted.')] : []),
    ...(lines.length === 0
      ? []
      : [h('ul', { class: 'warnings', 'aria-label': 'What is wrong with the node' }, ...lines.map((line) => h('li', {}, line)))]),
  ];
};
