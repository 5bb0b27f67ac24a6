import { isAbort, messageOf, providerRefused, providerUnreachable, SwarmError } from '../model/errors.ts';

/** What the operating system's error codes mean for the one who asked, and what to do. */
const refusals: Readonly<Record<string, readonly [code: string, why: string, hint: string]>> = {
  ENOSPC: ['no-space', 'the disk is full', 'Free some disk space and try again.'],
  EDQUOT: ['no-space', 'the disk quota is used up', 'Free some disk space and try again.'],
  EROFS: ['no-access', 'the disk is read-only', 'Choose a directory that can be written.'],
  EACCES: ['no-access', 'access was refused', 'Correct the rights of what is named, or choose another directory.'],
  EPERM: ['no-access', 'access was refused', 'Correct the rights of what is named, or choose another directory.'],
  EMFILE: ['no-resources', 'too many files are open', 'Raise the limit of open files, or stop some instances.'],
  ENFILE: ['no-resources', 'too many files are open', 'Raise the limit of open files, or stop some instances.'],
};
const networkCodes =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|ENOTFOUND|EAI_AGAIN)$/;

/**
 * What may leave a provider: the reason of an aborted signal, or a `SwarmError`. Whatever else was thrown becomes one,
 * with the original as its cause. The one place that knows foreign errors of every kind.
 */
export function translateError(providerId: string, error: unknown, signal: AbortSignal): unknown {
  if (error instanceof SwarmError) return error;
  if (signal.aborted && (error === signal.reason || isAbort(error))) return signal.reason;
  const code = codeOf(error);
  if (networkCodes.test(code)) {
    return providerUnreachable(providerId, messageOf(error), 'Check that it runs and can be reached.', error);
  }
  const refusal = refusals[code];
  if (refusal) {
    const [name, why, hint] = refusal;
    return providerRefused(
      name,
      `The provider "${providerId}" failed because ${why} (${messageOf(error)}).`,
      hint,
      error,
    );
  }
  return providerRefused(
    'provider-failed',
    `The provider "${providerId}" failed: ${messageOf(error)}.`,
    'Look at the log of Remote Swarm for the cause.',
    error,
  );
}

/** An error's code, or that of its cause: `fetch` and engine clients wrap theirs. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : codeOf(error.cause);
}
