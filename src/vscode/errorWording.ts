import { isAbort, messageOf, SwarmError } from '../model/errors.ts';

const mostForPerson = 600;
const mostForModel = 4000;
const deepest = 8;

/** What happened and the next step, as sentences for a notification; undefined for a cancellation, which is no error. */
export function forPerson(error: unknown): string | undefined {
  if (isAbort(error)) return undefined;
  return bounded(sentences(error).join(' '), mostForPerson);
}

/** The same for a model: the stable code first, then what happened, then what to do next. */
export function forModel(error: unknown): string {
  if (isAbort(error)) return 'cancelled: The call was cancelled by the person. Do not repeat it unless asked.';
  const code = error instanceof SwarmError ? error.code : 'unexpected-failure';
  const [message, hint] = sentences(error);
  const again = error instanceof SwarmError && error.retryable ? ['Trying again unchanged may succeed.'] : [];
  return bounded([`${code}: ${message}`, ...(hint ? [`Next step: ${hint}`] : []), ...again].join('\n'), mostForModel);
}

/** For the log: family and code, the stack where there is one, and every cause below it. */
export function forLog(error: unknown): string {
  const lines: string[] = [];
  for (let next = error, depth = 0; next !== undefined && depth < deepest; depth += 1) {
    const code = next instanceof SwarmError ? ` [${next.family}/${next.code}]` : '';
    const text = next instanceof Error ? (next.stack ?? messageOf(next)) : messageOf(next);
    lines.push(`${depth === 0 ? '' : 'Caused by: '}${text}${code}`);
    next = next instanceof Error ? next.cause : undefined;
  }
  return withoutToken(lines.join('\n'));
}

function sentences(error: unknown): string[] {
  if (error instanceof SwarmError) return [error.message, ...(error.hint === undefined ? [] : [error.hint])];
  return [`Something unexpected went wrong: ${messageOf(error)}.`, 'The log of Remote Swarm holds the details.'];
}

const bounded = (text: string, most: number) => {
  const safe = withoutToken(text);
  return safe.length <= most ? safe : `${safe.slice(0, most - 1)}…`;
};

/** An instance's token is only ever text in its address. */
const withoutToken = (text: string) => text.replace(/([?&]tkn=)[^&\s"']+/g, '$1***');
