/** What went wrong, in the five families that the faces word differently. */
export type ErrorFamily = 'validation' | 'provider' | 'network' | 'state' | 'permission';

/** What a {@link SwarmError} is made of. */
export interface SwarmErrorDetails {
  readonly family: ErrorFamily;
  /** Stable, kebab-case; tests and faces match on it, people never see it. */
  readonly code: string;
  /** One sentence: what happened, naming the thing and the value's problem. */
  readonly message: string;
  /** One sentence: the next step. Worded for a person and a model alike. */
  readonly hint?: string;
  /** Whether asking again, unchanged, may succeed. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/** The only error class that crosses a folder's border. An abort is not an error: it travels as `signal.reason`. */
export class SwarmError extends Error {
  readonly family: ErrorFamily;
  readonly code: string;
  readonly hint: string | undefined;
  readonly retryable: boolean;

  constructor(details: SwarmErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SwarmError';
    this.family = details.family;
    this.code = details.code;
    this.hint = details.hint;
    this.retryable = details.retryable ?? false;
  }
}

/** True when `error` is a cancellation: the signal's own reason, or what the platform throws for an aborted call. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

/** The text of anything thrown, for messages and logs. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const inGigabytes = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GB`;

// validation

export const invalidInput = (what: string, problems: readonly string[]) =>
  new SwarmError({
    family: 'validation',
    code: 'invalid-input',
    message: `${what} is not valid: ${problems.join('; ')}.`,
    hint: 'Correct the named fields and try again. Nothing was changed.',
  });

export const notJson = (what: string, problem: string) =>
  new SwarmError({
    family: 'validation',
    code: 'not-json',
    message: `${what} is not JSON: ${problem}.`,
    hint: 'Correct it there and try again. Nothing was changed.',
  });

export const nameTaken = (name: string, instanceId: string, hint = 'Choose another name.') =>
  new SwarmError({
    family: 'validation',
    code: 'name-taken',
    message: `An instance named "${name}" already exists (${instanceId}).`,
    hint,
  });

export const unknownProvider = (wanted: string, known: readonly string[]) =>
  new SwarmError({
    family: 'validation',
    code: 'unknown-provider',
    message: `There is no provider "${wanted}".`,
    hint: [
      known.length > 0 ? `Use one of: ${known.join(', ')}.` : 'Add a provider first.',
      `Add "${wanted}" to remoteSwarm.providers again if something of this swarm is there.`,
    ].join(' '),
  });

export const invalidSetting = (key: string, problem: string) =>
  new SwarmError({
    family: 'validation',
    code: 'invalid-setting',
    message: `The setting ${key} is not valid: ${problem}.`,
    hint: 'Correct it in the settings, and try again. It was left as it is.',
  });

export const unknownDefaultProvider = (wanted: string, known: readonly string[]) =>
  new SwarmError({
    family: 'validation',
    code: 'unknown-provider',
    message: `The setting remoteSwarm.defaultProviderType names the provider "${wanted}", which there is not.`,
    hint: `Correct it, or name a provider${known.length > 0 ? `: ${known.join(', ')}` : ' that there is'}.`,
  });

export const unknownEnabledProvider = (wanted: string, known: readonly string[]) =>
  new SwarmError({
    family: 'validation',
    code: 'unknown-provider',
    message: `The setting remoteSwarm.enabledProviders names the provider "${wanted}", which there is not.`,
    hint: `Take it out, or name a provider${known.length > 0 ? `: ${known.join(', ')}` : ' that there is'}.`,
  });

export const unknownProviderType = (providerId: string, type: string, known: readonly string[]) =>
  new SwarmError({
    family: 'validation',
    code: 'unknown-provider',
    message: `The provider "${providerId}" in remoteSwarm.providers is of no known kind: its "type" is "${type}".`,
    hint: `Set "type" to one of: ${known.join(', ')}.`,
  });

/** `problem` and `hint`, sentences, are those of the entry in the settings. */
export const providerUnusable = (providerId: string, problem: string, hint = 'Correct it in remoteSwarm.providers.') =>
  new SwarmError({
    family: 'validation',
    code: 'provider-unusable',
    message: `The provider "${providerId}" cannot be used as it is configured. ${problem}`,
    hint,
  });

export const unsupported = (providerId: string, what: string) =>
  new SwarmError({
    family: 'validation',
    code: 'unsupported',
    message: `The provider "${providerId}" cannot ${what}.`,
    hint: 'Choose an instance on a provider that can.',
  });

export const noPlacement = (reasons: readonly string[]) =>
  new SwarmError({
    family: 'validation',
    code: 'no-placement',
    message: `No provider can take this instance: ${reasons.join('; ')}.`,
    hint: 'Remove what the provider cannot do, such as "resources", make the instance smaller, or add a provider.',
  });

export const unknownOperation = (name: string, known: readonly string[]) =>
  new SwarmError({
    family: 'validation',
    code: 'unknown-operation',
    message: `There is no operation "${name}".`,
    hint: `Use one of: ${known.join(', ')}.`,
  });

// state

export const instanceNotFound = (instanceId: string) =>
  new SwarmError({
    family: 'state',
    code: 'instance-not-found',
    message: `There is no instance "${instanceId}".`,
    hint: 'Use list_swarm_instances, or the Instances view, to see the ids that exist.',
  });

export const instanceBusy = (instanceId: string, doing: string) =>
  new SwarmError({
    family: 'state',
    code: 'instance-busy',
    message: `The instance "${instanceId}" is busy: ${doing}.`,
    hint: 'Wait for that to end, or cancel it, and try again.',
    retryable: true,
  });

export const swarmBusy = () =>
  new SwarmError({
    family: 'state',
    code: 'swarm-busy',
    message: 'The swarm is still at work in this window.',
    hint: 'Wait until it has ended, or cancel it, and try again.',
    retryable: true,
  });

export const recoveryRefused = (id: string, why: string) =>
  new SwarmError({
    family: 'state',
    code: 'recovery-refused',
    message: `The instance "${id}" was not recovered. ${why}`,
    hint: 'Look at its health for what was seen and what else can be done.',
  });

export const wrongState = (instanceId: string, status: string, wanted: string) =>
  new SwarmError({
    family: 'state',
    code: 'wrong-state',
    message: `The instance "${instanceId}" is ${status}; ${wanted}.`,
    hint: 'Get the instance to see its state, then choose an action that fits.',
  });

export const migrationNotFound = (migrationId: string) =>
  new SwarmError({
    family: 'state',
    code: 'migration-not-found',
    message: `There is no migration "${migrationId}".`,
    hint: 'Use list_migrations to see those that exist, or plan a new one with create_migration_plan.',
  });

/** `what` begins the sentence; `problem` and `hint` are sentences. */
export const migrationRefused = (what: string, problem: string, hint: string) =>
  new SwarmError({ family: 'state', code: 'migration-refused', message: `${what} cannot be done. ${problem}`, hint });

export const migrationsOff = () =>
  new SwarmError({
    family: 'state',
    code: 'migrations-off',
    message: 'Migrations are switched off by the setting remoteSwarm.migration.enabled.',
    hint: 'Ask the person to switch them on. Those that had begun are ended all the same.',
  });

export const newerState = (file: string, version: number) =>
  new SwarmError({
    family: 'state',
    code: 'newer-state',
    message: `${file} was written by a newer version of this extension (schema ${version}).`,
    hint: 'Update the extension in this window; the file was left as it is.',
  });

export const lockLost = (key: string) =>
  new SwarmError({
    family: 'state',
    code: 'lock-lost',
    message: `The lock of "${key}" was lost while it was held; another window took over.`,
    hint: 'Nothing more was done here. Look at the instance again.',
    retryable: true,
  });

export const instanceExists = (instanceId: string) =>
  new SwarmError({
    family: 'state',
    code: 'instance-exists',
    message: `The instance "${instanceId}" is registered already.`,
    hint: 'Another window may have been quicker. Look at the instance again.',
  });

export const stateUnavailable = (directory: string, cause: unknown) =>
  new SwarmError({
    family: 'state',
    code: 'state-unavailable',
    message: `The state in ${directory} cannot be read or written: ${messageOf(cause)}.`,
    hint: 'Free disk space, or correct the rights of the state directory, and try again.',
    retryable: true,
    cause,
  });

export const auditUnavailable = (cause: unknown) =>
  new SwarmError({
    family: 'state',
    code: 'audit-unavailable',
    message: `The audit log cannot be written: ${messageOf(cause)}.`,
    hint: 'Changes are refused until it can. Free disk space, or correct the rights of the state directory.',
    cause,
  });

export const commandTimedOut = (instanceId: string, seconds: number) =>
  new SwarmError({
    family: 'state',
    code: 'command-timed-out',
    message: `The command in the instance "${instanceId}" did not end within ${seconds} s and was given up.`,
    hint: 'Allow it more time, or run it in the background with its output in a file, and look at the file later.',
  });

export const unexpectedResult = (operation: string, problems: readonly string[]) =>
  new SwarmError({
    family: 'state',
    code: 'unexpected-result',
    message: `${operation} ended with a result that is not as promised: ${problems.join('; ')}.`,
    hint: 'It may have been carried out. Look at the instance before you try again, and report this as a bug.',
  });

export const unexpectedFailure = (operation: string, cause: unknown) =>
  new SwarmError({
    family: 'state',
    code: 'unexpected-failure',
    message: `${operation} failed in a way that nobody foresaw: ${messageOf(cause)}.`,
    hint: 'Look at the instance before you try again. The log of Remote Swarm holds the details.',
    cause,
  });

/** `file` is called as it lies beside the home; `problem` tells nothing of what is in it, which may be a secret. */
export const reservedFileUnreadable = (instanceId: string, file: string, problem: string) =>
  new SwarmError({
    family: 'state',
    code: 'reserved-file-unreadable',
    message: `The file ${file} beside the home of the instance "${instanceId}" cannot be used: ${problem}.`,
    hint: 'Put it right, by hand or from a backup, and try again. It was left as it is, and so was the home.',
  });

// permission

export const denied = (operation: string, why: string, hint: string) =>
  new SwarmError({ family: 'permission', code: 'denied', message: `${operation} was refused: ${why}.`, hint });

export const confirmationRefused = (operation: string) =>
  new SwarmError({
    family: 'permission',
    code: 'confirmation-refused',
    message: `${operation} was not carried out: the person who was asked did not agree.`,
    hint: 'Do not ask again unless that person wants it. Nothing was changed.',
  });

/** `found`: what had been counted when it was given up. */
export const folderTooLarge = (
  folder: string,
  found: { bytes: number; files: number; special: number },
  limits: { bytes: number; files: number; leftOut: number; seconds: number },
) => {
  const size = ({ bytes, files }: { bytes: number; files: number }) => `${files} files with ${inGigabytes(bytes)}`;
  const special = found.special > 0 ? `, and ${found.special} sockets, pipes and devices` : '';
  return new SwarmError({
    family: 'validation',
    code: 'folder-too-large',
    message: `The folder ${folder} is too large to be copied: it holds ${size(found)}${special}, and that is not all. At most ${size(limits)} are copied, and they must be counted within ${limits.seconds} seconds.`,
    hint: 'Name a folder in it, clone a repository instead, or create the instance empty and bring there what it needs. Nothing was changed.',
  });
};

/** `retryAt`: the time of day when there is room again; undefined when there never will be. */
export const destroyLimitReached = (limit: number, retryAt: string | undefined) =>
  new SwarmError({
    family: 'permission',
    code: 'destroy-limit-reached',
    message: `Denied: agents may delete or make anew ${limit === 0 ? 'no instances' : `at most ${limit} instances in 10 minutes`}.`,
    hint:
      retryAt === undefined
        ? 'Ask a person to delete it in the Instances view.'
        : `Try again after ${retryAt}, or ask a person to delete it in the Instances view.`,
  });

// provider and network

export const providerUnreachable = (providerId: string, why: string, hint: string, cause?: unknown) =>
  new SwarmError({
    family: 'network',
    code: 'provider-unreachable',
    message: `The provider "${providerId}" does not answer: ${why}.`,
    hint,
    retryable: true,
    cause,
  });

export const timedOut = (what: string, milliseconds: number) =>
  new SwarmError({
    family: 'network',
    code: 'timed-out',
    message: `${what} did not finish within ${Math.round(milliseconds / 1000)} s.`,
    hint: 'The provider may be overloaded or hanging. Try again, or look at its log.',
    retryable: true,
  });

export const providerRefused = (code: string, message: string, hint: string, cause?: unknown) =>
  new SwarmError({ family: 'provider', code, message, hint, cause });

export const editorServerMissing = (providerId: string) =>
  new SwarmError({
    family: 'provider',
    code: 'editor-server-missing',
    message: `The provider "${providerId}" found no editor server on this computer.`,
    hint: 'Install code-server with "Install Editor Server", put code-server or openvscode-server on the PATH, or set the provider\'s "server" to one of them, or to "code".',
  });

export const editorServerInvalid = (providerId: string, file: string) =>
  new SwarmError({
    family: 'validation',
    code: 'editor-server-invalid',
    message: `The "server" of the provider "${providerId}" is no editor server that can be started: ${file}.`,
    hint: 'Set it to the path of code-server, openvscode-server, code, or a server-main.js, or leave it out.',
  });

export const npmMissing = () =>
  new SwarmError({
    family: 'provider',
    code: 'npm-missing',
    message: 'The editor server cannot be installed, because npm is not on the PATH.',
    hint: 'Install Node.js with npm, or install code-server or openvscode-server yourself, and try again.',
  });

export const installFailed = (what: string, why: string, cause?: unknown) =>
  new SwarmError({
    family: 'provider',
    code: 'install-failed',
    message: `${what} could not be installed: ${why}.`,
    hint: 'Check the network and the free disk space, then try again. Nothing half-installed was left.',
    retryable: true,
    cause,
  });
