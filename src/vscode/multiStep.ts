import * as vscode from 'vscode';
import { capitalised } from './rowTexts.ts';

/** The person pressed Back. */
export const goBack = Symbol('back');

/** What every step of a series of questions says about itself. */
export interface StepFrame {
  readonly title: string;
  /** Counted from 1. */
  readonly step?: number;
  readonly total?: number;
  readonly canGoBack?: boolean;
}

export interface TextQuestion extends StepFrame {
  readonly prompt: string;
  readonly value?: string;
  readonly placeholder?: string;
  readonly password?: boolean;
  /** What is wrong with the text; called with every key. */
  problem?(text: string): string | undefined;
}

export interface PickQuestion<T extends vscode.QuickPickItem> extends StepFrame {
  readonly placeholder: string;
  readonly items: readonly T[];
  readonly active?: T | undefined;
  /** Several may be chosen, those picked already first. */
  readonly many?: boolean;
}

/** Asks for a line of text. Undefined: the person gave up. */
export function askText(question: TextQuestion): Promise<string | typeof goBack | undefined> {
  const input = vscode.window.createInputBox();
  frame(input, question);
  input.prompt = question.prompt;
  input.value = question.value ?? '';
  input.placeholder = question.placeholder ?? '';
  input.password = question.password ?? false;
  return new Promise(resolve => {
    const check = () => {
      const problem = question.problem?.(input.value);
      input.validationMessage = problem === undefined ? '' : capitalised(problem);
      return problem === undefined;
    };
    input.onDidChangeValue(check);
    input.onDidAccept(() => {
      if (!check()) return;
      resolve(input.value);
      input.hide();
    });
    end(input, resolve);
  });
}

/** Asks for one item, or for several. Undefined: the person gave up. */
export function askPick<T extends vscode.QuickPickItem>(
  question: PickQuestion<T>,
): Promise<readonly T[] | typeof goBack | undefined> {
  const pick = vscode.window.createQuickPick<T>();
  frame(pick, question);
  pick.placeholder = question.placeholder;
  pick.canSelectMany = question.many ?? false;
  pick.matchOnDescription = true;
  pick.matchOnDetail = true;
  pick.items = question.items;
  if (question.many) pick.selectedItems = question.items.filter(({ picked }) => picked);
  else if (question.active) pick.activeItems = [question.active];
  return new Promise(resolve => {
    pick.onDidAccept(() => {
      if (!question.many && pick.selectedItems.length === 0) return;
      resolve(pick.selectedItems);
      pick.hide();
    });
    end(pick, resolve);
  });
}

function frame(
  input: vscode.QuickPick<vscode.QuickPickItem> | vscode.InputBox,
  { title, step, total, canGoBack }: StepFrame,
): void {
  input.title = title;
  input.step = step;
  input.totalSteps = total;
  input.ignoreFocusOut = true;
  input.buttons = canGoBack ? [vscode.QuickInputButtons.Back] : [];
}

function end(
  input: vscode.QuickPick<vscode.QuickPickItem> | vscode.InputBox,
  resolve: (answer: typeof goBack | undefined) => void,
): void {
  input.onDidTriggerButton(button => {
    if (button !== vscode.QuickInputButtons.Back) return;
    resolve(goBack);
    input.hide();
  });
  // What was accepted has resolved before it hides; only giving up gets here first.
  input.onDidHide(() => {
    resolve(undefined);
    input.dispose();
  });
  input.show();
}
