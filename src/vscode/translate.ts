import * as vscode from 'vscode';
import type { Translate } from '../operations/translate.ts';

/** Into the editor's language. Every literal given to it has a German entry in l10n/ (a test compares). */
export const t: Translate = Object.assign(
  (message: string, ...args: (string | number | boolean)[]) => vscode.l10n.t(message, ...args),
  { locale: vscode.env.language },
);
