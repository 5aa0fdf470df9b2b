/** The first view: the node and its control plane, the GPUs, the pools. */
import { type Described, h } from './dom.ts';
import { gpuCards } from './gpus.ts';
import { nodeFacts } from './node.ts';
import { poolList } from './pools.ts';
import { known } from './store.ts';

export const overview = (): Described[] => {
  if (!known.begun) return [h('h1', { class: 'quiet' }, 'Waiting for the daemon')];
  return [
    h('h1', { class: 'unseen' }, `Node ${known.node?.node_id ?? ''}`),
    h('section', { 'aria-label': 'Node', class: 'node' }, ...nodeFacts()),
    h('section', { 'aria-labelledby': 'gpus' }, h('h2', { id: 'gpus' }, 'GPUs'), ...gpuCards()),
    h('section', { 'aria-labelledby': 'pools' }, ...poolList()),
  ];
};
