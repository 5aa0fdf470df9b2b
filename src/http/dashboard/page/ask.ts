/** Asks before something hurts: a modal dialog that says what will happen, with what may be chosen, and gives the focus back. */

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly placeholder: string;
  /** `area`: several lines. */
  readonly type: 'number' | 'text' | 'area';
}

export interface Question {
  readonly title: string;
  readonly lines: readonly string[];
  readonly fields?: readonly Field[];
  /** The words on the button that does it. */
  readonly yes: string;
  /** It ends something. Default: true. */
  readonly hurts?: boolean;
}

/** What was entered, by name, without what was left empty; null: it is not wanted. */
export const ask = ({ title, lines, fields = [], yes, hurts = true }: Question): Promise<Readonly<Record<string, string>> | null> =>
  new Promise((resolve) => {
    const dialog = document.createElement('dialog');
    const form = element('form', { method: 'dialog' });
    const heading = element('h2', { id: 'question' }, title);
    dialog.setAttribute('aria-labelledby', 'question');
    const inputs = fields.map(({ name, label, placeholder, type }) => {
      const input =
        type === 'area'
          ? element('textarea', { name, placeholder, rows: '9', spellcheck: 'false' })
          : element('input', { name, placeholder, type, autocomplete: 'off', ...(type === 'number' && { min: '0', step: 'any' }) });
      const row = element('label', {}, label);
      row.append(input);
      return { name, input, row };
    });
    const no = element('button', { value: 'no', type: 'submit', formnovalidate: '' }, 'Leave it');
    const go = element('button', { value: 'yes', type: 'submit', class: hurts ? 'danger' : 'primary' }, yes);
    const buttons = element('div', { class: 'row end' });
    buttons.append(no, go);
    form.append(heading, ...lines.map((line) => element('p', {}, line)), ...inputs.map(({ row }) => row), buttons);
    dialog.append(form);
    dialog.addEventListener('close', () => {
      const entered = inputs.map(({ name, input }) => [name, input.value.trim()] as const).filter(([, text]) => text !== '');
      resolve(dialog.returnValue === 'yes' ? Object.fromEntries(entered) : null);
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
    // Enter does not do what hurts before it was looked at.
    if (hurts) no.focus();
    else inputs[0]?.input.focus();
  });

const element = <Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>>,
  text = '',
): HTMLElementTagNameMap[Tag] => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
};
