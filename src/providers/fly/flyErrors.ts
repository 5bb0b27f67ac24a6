import { providerRefused, providerUnreachable, SwarmError, timedOut } from '../../model/errors.ts';

/** What Fly answered in place of what was asked for. */
export class FlyAnswer extends Error {
  readonly status: number;
  /** Its own word for the kind of error; empty when it has none. */
  readonly code: string;
  readonly said: string;

  constructor(status: number, code: string, said: string, requestId: string | null) {
    super(`HTTP ${status}${code && ` ${code}`}: ${said}${requestId === null ? '' : ` (request ${requestId})`}`);
    this.name = 'FlyAnswer';
    this.status = status;
    this.code = code;
    this.said = said;
  }
}

/** The HTTP status behind an error; undefined when it is none of Fly's. */
export const flyStatus = (error: unknown): number | undefined => {
  const cause = error instanceof SwarmError ? error.cause : error;
  return cause instanceof FlyAnswer ? cause.status : undefined;
};

/** Whether what was asked for may have been done although its answer did not come. */
export const isOutcomeUnknown = (error: unknown): boolean =>
  error instanceof SwarmError && error.family === 'network' && flyStatus(error) !== 429;

export const isAbsent = (error: unknown): boolean => flyStatus(error) === 404;

/** Whether it may be another answer when Fly is asked again: it did not answer in time, or with an error of its own. */
export const mayPass = (error: unknown): boolean => error instanceof SwarmError && error.family === 'network';

const noCapacity = /insufficient (resources|memory|cpu|capacity)|could not reserve resource|no capacity|not enough/i;
const capacityCodes = ['insufficient_capacity', 'volume_placement_capacity'];

/** What an answer of Fly means to whoever asked, and what to do. `doing` begins a sentence: "Making the machine". */
export function flyError(providerId: string, doing: string, answer: FlyAnswer): SwarmError {
  const { status, code } = answer;
  const said = answer.said.replace(/\.$/, '');
  const refused = (name: string, message: string, hint: string) => providerRefused(name, message, hint, answer);
  if (status === 401)
    return refused(
      'token-refused',
      `Fly.io does not accept the token of the provider "${providerId}": ${said}.`,
      'It may have expired or been revoked. Make another with "fly tokens create org" and enter it.',
    );
  if (status === 429)
    return new SwarmError({
      family: 'network',
      code: 'rate-limited',
      message: `${doing} failed, because Fly.io was asked too often.`,
      hint: 'Wait a minute and try again.',
      retryable: true,
      cause: answer,
    });
  if (capacityCodes.includes(code) || noCapacity.test(said))
    return refused(
      'no-capacity',
      `${doing} failed, because Fly.io has no room for it: ${said}.`,
      'Choose another region or a smaller size. A home that exists is bound to its region: migrate the instance.',
    );
  if (status === 402 || /quota|billing|payment|limit (reached|exceeded)|over the allowed/i.test(said))
    return refused(
      'quota-used-up',
      `${doing} failed, because the organization may not have more: ${said}.`,
      'Delete what is no longer needed, or ask Fly.io for a higher limit.',
    );
  if (status === 403)
    return refused(
      'not-allowed',
      `${doing} failed, because the token of the provider "${providerId}" does not allow it: ${said}.`,
      'Make a token for the whole organization with "fly tokens create org" and enter it.',
    );
  if (code === 'name_taken' || (status === 422 && /taken/i.test(said))) return idTaken(said, answer);
  if (status === 404) return refused('not-there', `${doing} failed, because it is not there: ${said}.`, 'Look again.');
  if (status === 409 && /lease/i.test(said))
    return refused('leased', `${doing} failed, because something else holds the machine: ${said}.`, 'Try again soon.');
  if (status === 408) return timedOut(doing, 60_000);
  if (status >= 500)
    return providerUnreachable(providerId, `${doing} ended with HTTP ${status}`, 'Look at status.flyio.net.', answer);
  return refused('fly-refused', `${doing} failed: ${said}.`, 'Look at the log of Remote Swarm for the cause.');
}

/** It may run there, and go on writing: nothing is done about it, and nothing is made in its place. */
export const hostAway = (providerId: string, instanceId: string) =>
  providerUnreachable(
    providerId,
    `the host that "${instanceId}" lives on does not answer Fly.io`,
    'Nothing is done to it meanwhile. Look at status.flyio.net, and try again when the host is back.',
  );

/** A later version may have noted it: what can't be read is somebody's. */
export const notesUnreadable = (instanceId: string, what: string) =>
  new SwarmError({
    family: 'state',
    code: 'reserved-file-unreadable',
    message: `What is noted on the machine of the instance "${instanceId}" at Fly.io does not tell ${what}.`,
    hint: 'A later version of this extension may have written it: use that one. Nothing is done to it.',
  });

/** An instance's name at Fly is held by something else. */
export const idTaken = (name: string, cause?: unknown) =>
  providerRefused(
    'id-taken',
    `Fly.io has something of that name which belongs to another swarm, or to somebody else: ${name}.`,
    'Try again; another id will be chosen.',
    cause,
  );

export const answerTooLarge = (providerId: string, most: number) =>
  providerRefused(
    'fly-answer-too-large',
    `The provider "${providerId}" is answered with more than ${most / 1024 ** 2} MB.`,
    'Look whether its "endpoints" are those of Fly.io.',
  );

export const tokenMissing = (providerId: string) =>
  providerRefused(
    'token-missing',
    `The provider "${providerId}" has no token for Fly.io yet.`,
    'Make one with "fly tokens create org --expiry 720h" and enter it.',
  );

/** Said without a word of it: what would refuse it as a header quotes it. */
export const tokenUnusable = (providerId: string) =>
  providerRefused(
    'token-unusable',
    `The token of the provider "${providerId}" holds a line break, or a character that no token has.`,
    'Copy the token again, as one line, and enter it.',
  );
