import * as vscode from 'vscode';
import { SwarmError } from '../model/errors.ts';
import type { OperationContext } from '../model/operationContext.ts';
import type { BatchResult } from '../operations/batch.ts';
import type { Confirmation, OperationCall } from '../operations/operation.ts';
import type { Face } from './face.ts';
import { type Place, withProgress } from './operationContext.ts';
import { thisUser } from './thisUser.ts';
import { t } from './translate.ts';

/** Our own modal, with a verb on the button. Nothing skips it. */
export async function confirmModal({ title, detail, action }: Confirmation): Promise<boolean> {
  return (await vscode.window.showWarningMessage(title, { modal: true, detail }, action)) === action;
}

/** Values of secret variables, by name; they travel beside the input, and never in it. */
export type Secrets = Readonly<Record<string, string>>;

/** A person's call of an operation, as the audit log names them. */
export const personCall = (ctx: OperationContext, secrets: Secrets = {}): OperationCall => ({
  ...ctx,
  caller: 'person',
  actor: thisUser(),
  secrets,
  confirm: confirmModal,
});

/** Runs one operation of the catalog for the person, with progress. Every command goes through here. */
export function operate<T>(
  face: Face,
  name: string,
  input: unknown,
  title: string,
  place: Place = 'view',
  secrets: Secrets = {},
): Promise<T> {
  return face.host.use(core =>
    withProgress(place, title, async ctx => (await core.gate.invoke(name, input, personCall(ctx, secrets))) as T),
  );
}

/** Runs an operation on several things; throws one error that names those for which it failed. */
export async function operateOnAll(
  face: Face,
  name: string,
  input: unknown,
  title: string,
  place: Place = 'view',
): Promise<void> {
  const { results } = await operate<BatchResult>(face, name, input, title, place);
  const failed = results.filter(({ outcome }) => outcome === 'failed');
  const [first] = failed;
  if (!first) return;
  const nameOf = (one: typeof first) => one.name ?? one.instanceId;
  const why = first.error?.message ?? t('unknown reason');
  const named = failed.map(nameOf).join(', ');
  throw new SwarmError({
    family: 'provider',
    code: first.error?.code ?? 'failed',
    message:
      results.length === 1
        ? t('{0}: {1}', nameOf(first), why)
        : t('{0} of {1} instances failed ({2}). The first: {3}', failed.length, results.length, named, why),
    ...(first.error?.hint !== undefined && { hint: first.error.hint }),
    retryable: true,
  });
}
