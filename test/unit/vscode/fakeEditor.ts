/**
 * What a test answers to a question, by the beginning of its prompt, placeholder or title: `=` keeps the text that is
 * offered, undefined gives up.
 */
export type Answer = readonly [question: string, answer: string | undefined];

/** An editor whose person answers as a test says. What stands in `problems` was said while an answer was typed. */
class FakeEditor {
  settings: Record<string, unknown> = {};
  /** The text of the document in front. */
  document = '';
  readonly answers: Answer[] = [];
  readonly problems: string[] = [];
  readonly messages: { text: string; buttons: string[]; detail?: string }[] = [];
  readonly opened: string[] = [];
  /** Labels of the items of each pick. */
  readonly picks: string[][] = [];
  readonly commands: string[] = [];

  reset(): void {
    this.settings = {};
    for (const list of [this.answers, this.problems, this.messages, this.opened, this.picks, this.commands]) {
      list.length = 0;
    }
  }

  #take(questions: readonly (string | undefined)[]): string | undefined {
    const next = this.answers.shift();
    if (!next) throw new Error(`Nobody answers ${questions.join(' / ')}`);
    if (!questions.some(question => question?.startsWith(next[0]))) {
      throw new Error(`"${next[0]}" is not asked, but ${questions.join(' / ')}`);
    }
    return next[1];
  }

  #message = async (text: string, ...items: unknown[]) => {
    const modal = items.find(item => typeof item === 'object');
    this.messages.push({ text, buttons: items.filter(item => typeof item === 'string'), ...modal });
    const [expected] = this.answers;
    return expected && text.startsWith(expected[0]) ? this.answers.shift()?.[1] : undefined;
  };

  #input() {
    const listeners: { accept?: () => void; hide?: () => void; change?: () => void } = {};
    const keep = (name: 'accept' | 'hide' | 'change') => (listener: () => void) => {
      listeners[name] = listener;
    };
    const box = {
      ...{ title: '', prompt: '', placeholder: '', value: '', validationMessage: '', items: [] as Item[] },
      selectedItems: [] as Item[],
      canSelectMany: false,
      onDidChangeValue: keep('change'),
      onDidAccept: keep('accept'),
      onDidTriggerButton: () => {},
      onDidHide: keep('hide'),
      hide: () => listeners.hide?.(),
      dispose: () => {},
    };
    return { box, listeners };
  }

  /** The module `vscode`, as far as the commands use it. */
  readonly module = {
    l10n: { t: (text: string, ...args: unknown[]) => text.replace(/\{(\d)\}/g, (_, i) => String(args[i])) },
    env: { language: 'en' },
    ConfigurationTarget: { Global: 1 },
    ProgressLocation: { Notification: 15 },
    QuickPickItemKind: { Separator: -1 },
    QuickInputButtons: { Back: {} },
    CancellationError: class extends Error {},
    TreeItemCollapsibleState: { None: 0, Collapsed: 1, Expanded: 2 },
    TreeItem: class {
      readonly label: string;
      tooltip: unknown;
      constructor(label: string) {
        this.label = label;
      }
    },
    ThemeIcon: class {},
    ThemeColor: class {},
    MarkdownString: class {
      readonly value: string;
      constructor(value: string) {
        this.value = value;
      }
    },
    EventEmitter: class {
      readonly #listeners: ((value: unknown) => void)[] = [];
      readonly event = (listener: (value: unknown) => void) => void this.#listeners.push(listener);
      fire = (value: unknown) => {
        for (const listener of this.#listeners) listener(value);
      };
      dispose = () => {};
    },
    commands: { executeCommand: async (command: string) => void this.commands.push(command) },
    workspace: {
      getConfiguration: (section: string) => ({
        get: (key: string) => this.settings[`${section}.${key}`],
        update: async (key: string, value: unknown) => {
          this.settings[`${section}.${key}`] = value;
        },
      }),
      openTextDocument: async ({ content }: { content: string }) => {
        this.opened.push(content);
        return {};
      },
    },
    window: {
      createTreeView: () => ({ visible: false, onDidChangeVisibility: () => {}, dispose: () => {}, reveal: () => {} }),
      createInputBox: () => {
        const { box, listeners } = this.#input();
        return Object.assign(box, {
          show: () => {
            const answer = this.#take([box.prompt, box.placeholder, box.title]);
            if (answer === undefined) return listeners.hide?.();
            if (answer !== '=') box.value = answer;
            listeners.change?.();
            listeners.accept?.();
            if (box.validationMessage === '') return;
            this.problems.push(box.validationMessage);
            listeners.hide?.();
          },
        });
      },
      createQuickPick: () => {
        const { box, listeners } = this.#input();
        return Object.assign(box, {
          show: () => {
            const answer = this.#take([box.placeholder, box.title]);
            this.picks.push(box.items.map(({ label }) => label));
            if (answer === undefined) return listeners.hide?.();
            box.selectedItems = chosen(box.items, answer);
            listeners.accept?.();
          },
        });
      },
      showQuickPick: async (items: Item[] | Promise<Item[]>, options: { title: string; canPickMany?: boolean }) => {
        const all = await items;
        const answer = this.#take([options.title]);
        this.picks.push(all.map(({ label }) => label));
        if (answer === undefined) return undefined;
        return options.canPickMany ? chosen(all, answer) : chosen(all, answer)[0];
      },
      showTextDocument: async () => {},
      showInformationMessage: this.#message,
      showWarningMessage: this.#message,
      showErrorMessage: this.#message,
      withProgress: (_options: unknown, work: (progress: object, token: object) => Promise<unknown>) =>
        work({ report: () => {} }, { onCancellationRequested: () => {} }),
      activeTextEditor: { document: { getText: () => this.document } },
    },
  };
}

interface Item {
  readonly label: string;
}

/** The items whose labels hold one of the words, which commas separate. */
function chosen(items: readonly Item[], answer: string): Item[] {
  const words = answer.split(',').filter(word => word !== '');
  const found = words.flatMap(word => items.find(({ label }) => label.includes(word)) ?? []);
  if (found.length < words.length) throw new Error(`No item for "${answer}": ${items.map(({ label }) => label)}`);
  return found;
}

/** `vi.mock('vscode', …)` puts its `module` into the place of the editor's own. */
export const editor = new FakeEditor();
