import { element } from './element.ts';
import type { PageTexts } from './messages.ts';

/** What the person can do with the part of the time that is shown. */
export type Move = 'zoomIn' | 'zoomOut' | 'earlier' | 'later' | 'showAll';

const symbols: readonly (readonly [Move, string])[] = [
  ['zoomIn', '+'],
  ['zoomOut', '−'],
  ['earlier', '←'],
  ['later', '→'],
];

const keys: Readonly<Record<string, Move>> = {
  '+': 'zoomIn',
  '=': 'zoomIn',
  '-': 'zoomOut',
  ArrowLeft: 'earlier',
  ArrowRight: 'later',
  0: 'showAll',
  Escape: 'showAll',
};

/** What a key press means; undefined when it is not ours. */
export function moveOf({ key, ctrlKey, metaKey, altKey }: KeyboardEvent): Move | undefined {
  return ctrlKey || metaKey || altKey ? undefined : keys[key];
}

/** Buttons for what the keyboard and the pointer do too, and the switch between plots and table. */
export class Toolbar {
  readonly root: HTMLElement;
  readonly #range = element('output', { class: 'range', 'aria-live': 'polite' });
  readonly #all: HTMLButtonElement;
  readonly #table: HTMLButtonElement;

  constructor(texts: PageTexts, move: (move: Move) => void, toggleTable: () => void) {
    const button = (label: string, act: () => void, attributes: Record<string, string> = {}) => {
      const made = element('button', { type: 'button', ...attributes }, label);
      made.addEventListener('click', act);
      return made;
    };
    this.#all = button(texts.showAll, () => move('showAll'));
    this.#table = button(texts.asTable, toggleTable, { 'aria-pressed': 'false' });
    this.root = element(
      'div',
      { class: 'toolbar', role: 'toolbar', 'aria-label': texts.title },
      ...symbols.map(([act, symbol]) =>
        button(symbol, () => move(act), { 'aria-label': texts[act], title: texts[act] }),
      ),
      this.#all,
      this.#table,
      this.#range,
    );
  }

  /** `range` in words; `isAll` when there is nothing more to show. */
  show(range: string, isAll: boolean, isTable: boolean): void {
    if (this.#range.textContent !== range) this.#range.textContent = range;
    this.#all.disabled = isAll;
    this.#table.setAttribute('aria-pressed', String(isTable));
  }
}
