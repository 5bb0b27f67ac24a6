import * as vscode from 'vscode';
import type { Confirmation, Operation } from '../operations/operation.ts';
import type { Swarm } from '../operations/swarm.ts';
import { forLog, forModel } from './errorWording.ts';
import { confirmModal } from './operate.ts';
import { contextOf } from './operationContext.ts';
import { escapeMarkdown } from './rowTexts.ts';
import type { SwarmHost } from './swarmHost.ts';
import { t } from './translate.ts';

/** A chat tool as package.json lists it, its name in the user's language. */
export interface ContributedTool {
  readonly name: string;
  readonly displayName: string;
}

/**
 * Registers every operation that agents may call as a chat tool, as package.json lists them: the catalog is loaded at
 * the first call. VS Code checks no input: the gate does. The chat's own confirmation is a courtesy that its user can
 * switch off; what must be asked is asked by the gate, in our own modal.
 */
export function registerLanguageModelTools(
  tools: readonly ContributedTool[],
  host: Pick<SwarmHost, 'use'>,
  log: Pick<vscode.LogOutputChannel, 'error'>,
): vscode.Disposable {
  return vscode.Disposable.from(...tools.map(tool => vscode.lm.registerTool(tool.name, toolOf(tool, host, log))));
}

function toolOf(
  { name, displayName }: ContributedTool,
  host: Pick<SwarmHost, 'use'>,
  log: Pick<vscode.LogOutputChannel, 'error'>,
): vscode.LanguageModelTool<unknown> {
  return {
    prepareInvocation: async ({ input }) => {
      const invocationMessage = t('{0} (Remote Swarm)', displayName);
      const question = await host.use(async ({ operations, controller }) => {
        const operation = operations.find(one => one.name === name);
        return operation && questionOf(operation, input, controller);
      });
      if (!question) return { invocationMessage };
      // What appendText makes of spaces would not wrap in a narrow chat.
      const message = new vscode.MarkdownString(question.detail.split('\n').map(escapeMarkdown).join('  \n'));
      return { invocationMessage, confirmationMessages: { title: question.title, message } };
    },
    invoke: async ({ input }, token) => {
      const call = { ...contextOf(token), caller: 'agent', actor: 'chat', confirm: confirmModal } as const;
      try {
        const output = await host.use(({ gate }) => gate.invoke(name, input, call));
        return new vscode.LanguageModelToolResult([new vscode.LanguageModelTextPart(JSON.stringify(output))]);
      } catch (error) {
        if (token.isCancellationRequested) throw new vscode.CancellationError();
        log.error(forLog(error));
        throw new Error(forModel(error));
      }
    },
  };
}

/** The operation's own question; undefined for a read, and when there is nothing to ask, since the gate will refuse. */
async function questionOf(operation: Operation, input: unknown, swarm: Swarm): Promise<Confirmation | undefined> {
  if (operation.effect === 'read') return undefined;
  try {
    const prepared = operation.prepare(input, swarm);
    const targets = prepared.targets(swarm);
    return (await prepared.look(swarm)).question(t, targets, swarm);
  } catch {
    return undefined;
  }
}
