/** Declares a pool over the API: asks for it as JSON, as in the pools file, and says what the daemon makes of it. */
import { order } from './api.ts';
import { ask } from './ask.ts';
import { type Described, h } from './dom.ts';
import { outcomeOf, outcomeText } from './outcome.ts';

const place = 'declare a pool';
const example = '{\n  "id": "chat",\n  "engine": "llamacpp",\n  "model": "/models/model.gguf",\n  "devices": [0],\n  "slots": 4\n}';

export const declareButton = (): Described =>
  h('span', { class: 'row' }, h('button', { class: 'small', onclick: () => void declare() }, 'Declare a pool'), outcomeText(place));

const declare = async (): Promise<void> => {
  const entered = await ask({
    title: 'Declare a pool',
    lines: ['As in the pools file, one pool, in JSON. It is kept by the daemon, survives restarts, and can be removed here.'],
    fields: [{ name: 'pool', label: 'Pool', placeholder: example, type: 'area' }],
    yes: 'Declare it',
    hurts: false,
  });
  if (entered === null) return;
  outcomeOf(place, 'It is declared', send(entered['pool'] ?? ''));
};

const send = async (text: string): Promise<unknown> => {
  const pool = parse(text);
  if (typeof pool !== 'object' || pool === null) throw new Error('Expected one pool as a JSON object, found something else');
  return order('POST', '/v2/pools', pool);
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};
