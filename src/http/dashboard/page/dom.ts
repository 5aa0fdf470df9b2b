/**
 * A page as a function of what is known: describes elements, and changes those that are there into what is described.
 *
 * Text is set as text and never read as markup. Listeners are properties, styles are set one by one: the policy of the page
 * allows nothing inline.
 */

type Handler = (event: Event) => unknown;
/** Objects: the properties of a style by name, and what a memo is. */
type Prop = string | number | boolean | null | undefined | Handler | object;

export interface Described {
  readonly tag: string;
  readonly props: Readonly<Record<string, Prop>>;
  readonly children: readonly (Described | string)[];
  /** Tells brothers apart, so that they keep their elements when others come and go. */
  readonly key: string | null;
  /** While it is the same, nothing below is looked at. */
  readonly memo: unknown;
  /** What is below is somebody else's, once it has been made. */
  readonly opaque: boolean;
}

type Given = Described | string | null | false | readonly Given[];

interface Options {
  readonly key?: string;
  readonly memo?: unknown;
  readonly opaque?: boolean;
}

/** `on…`: listeners; `style`: properties by name; everything else: attributes, absent for null and false. */
export const h = (tag: string, { key, memo, opaque, ...props }: Readonly<Record<string, Prop>> & Options = {}, ...children: Given[]): Described => ({
  tag,
  props: props as Readonly<Record<string, Prop>>,
  children: flat(children),
  key: key ?? null,
  memo,
  opaque: opaque ?? false,
});

const flat = (given: readonly Given[]): (Described | string)[] =>
  given.flatMap((one): (Described | string)[] =>
    one === null || one === false || one === '' ? [] : Array.isArray(one) ? flat(one) : [one as Described | string],
  );

const made = new WeakMap<Element, Described>();

/** Changes what is below `parent` into this. */
export const render = (parent: Element, ...children: Given[]): void => reconcile(parent, flat(children));

const reconcile = (parent: Element, wanted: readonly (Described | string)[]): void => {
  const keyed = new Map<string, Element>();
  for (const child of parent.children) {
    const key = made.get(child)?.key;
    if (key != null) keyed.set(key, child);
  }
  let here: ChildNode | null = parent.firstChild;
  for (const want of wanted) {
    const node = typeof want === 'string' ? textFor(here, want) : elementFor(here, want, keyed);
    if (node === here) here = here.nextSibling;
    else parent.insertBefore(node, here);
  }
  while (here !== null) {
    const next: ChildNode | null = here.nextSibling;
    here.remove();
    here = next;
  }
};

const textFor = (here: ChildNode | null, text: string): ChildNode => {
  if (!(here instanceof Text)) return document.createTextNode(text);
  if (here.data !== text) here.data = text;
  return here;
};

const elementFor = (here: ChildNode | null, want: Described, keyed: ReadonlyMap<string, Element>): Element => {
  const found = want.key === null ? here : (keyed.get(want.key) ?? null);
  const before = found instanceof Element ? made.get(found) : undefined;
  if (!(found instanceof Element) || before === undefined || before.tag !== want.tag || before.key !== want.key) return create(want);
  if (before === want || (want.memo !== undefined && before.memo === want.memo)) return found;
  update(found, before, want);
  return found;
};

const create = (want: Described): Element => {
  const element = document.createElement(want.tag);
  update(element, null, want);
  return element;
};

const update = (element: Element, before: Described | null, want: Described): void => {
  made.set(element, want);
  for (const name of Object.keys(before?.props ?? {})) if (!(name in want.props)) set(element, name, null, before?.props[name]);
  for (const [name, value] of Object.entries(want.props)) set(element, name, value, before?.props[name]);
  if (!want.opaque || before === null) reconcile(element, want.children);
};

const set = (element: Element, name: string, value: Prop, before: Prop): void => {
  if (value === before) return;
  if (name.startsWith('on')) Reflect.set(element, name, value ?? null);
  else if (name === 'style') restyle(element as HTMLElement, Object(value));
  else if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? '' : String(value));
};

const restyle = (element: HTMLElement, style: Readonly<Record<string, string>>): void => {
  for (const [name, value] of Object.entries(style)) {
    if (element.style.getPropertyValue(name) !== value) element.style.setProperty(name, value);
  }
};
