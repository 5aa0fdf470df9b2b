/**
 * A machine as the plain JSON that the Stately editor reads: its config with names in place of functions.
 *
 * What is fixed in the chart stays as params; what comes from the event is left out.
 */
import type { AnyStateMachine } from 'xstate';
import { fixedParams } from './fixed-params.ts';

export const configJson = (machine: AnyStateMachine): string => {
  const { context: _, ...config } = machine.config;
  return `${JSON.stringify(plain(config), null, 2)}\n`;
};

/** Machines are trees of objects, lists, text and functions; a function with a name of its own is a guard or action made by a helper. */
const plain = (value: unknown): unknown => {
  if (typeof value === 'function') return { type: nameOf(value) };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, child]) => (computed.has(key) ? fixed(key, child) : [[key, plain(child)]])));
};

const computed = new Set(['params', 'input', 'output']);

const fixed = (key: string, value: unknown): [string, unknown][] => {
  const found = fixedParams(value);
  return found === null ? [] : [[key, plain(found)]];
};

const nameOf = (value: object): string => {
  const type: unknown = Reflect.get(value, 'type') ?? Reflect.get(value, 'name');
  return typeof type === 'string' && type !== '' ? type : 'unnamed';
};
