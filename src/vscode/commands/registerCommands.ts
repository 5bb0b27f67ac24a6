import * as vscode from 'vscode';
import type { Face } from '../face.ts';
import { showError } from '../showError.ts';
import { type Command, commandTable } from './commandTable.ts';

/** Registers every command behind one door: what fails there becomes a sentence with buttons, what succeeds says nothing. */
export function registerCommands(face: Face): vscode.Disposable {
  return vscode.Disposable.from(
    ...commandTable.map(command =>
      vscode.commands.registerCommand(command.id, (clicked?: unknown, selected?: unknown) =>
        runCommand(face, command, rowsOf(face, clicked, selected)),
      ),
    ),
  );
}

async function runCommand(face: Face, command: Command, rows: readonly string[]): Promise<void> {
  face.log.debug(command.id, ...rows);
  try {
    await command.run(face, { rows });
  } catch (error) {
    // Not awaited: a command has ended when its message is on screen, not when somebody has read it.
    void showError(error, face.log, () => runCommand(face, command, rows));
  }
}

/** The rows that were meant. VS Code gives the clicked one and, when it is part of a selection, the selection. */
function rowsOf(face: Face, clicked: unknown, selected: unknown): readonly string[] {
  if (clicked === 'selection') return face.view.selection;
  const all = Array.isArray(selected) && selected.length > 0 ? selected : [clicked];
  return [...new Set(all.filter(row => typeof row === 'string'))];
}
