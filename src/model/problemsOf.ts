import type * as z from 'zod';
import { cut, onOneLine } from './textCut.ts';

const mostProblems = 20;
const mostCharacters = 200;

/**
 * What is wrong with an input, a setting or a file, as `field: problem`, for a person and a model alike. Names fields and
 * rules, never the value that was given: it may be a secret. What is parsed with `reportInput` tells missing fields from
 * those of a wrong type. `whole` names all of it where no field is to blame; empty, it is left out. At most 20 problems
 * of 200 characters.
 */
export function problemsOf(error: z.ZodError, whole = 'input'): string[] {
  const problems = error.issues.flatMap(issue => ofIssue(issue, [], whole));
  const unique = [...new Set(problems)].map(problem => onOneLine(problem, mostCharacters));
  const left = unique.length - mostProblems;
  return left > 0 ? [...unique.slice(0, mostProblems), `and ${left} more`] : unique;
}

function ofIssue(issue: z.core.$ZodIssue, above: readonly PropertyKey[], whole: string): string[] {
  const path = [...above, ...issue.path];
  const say = (problem: string, at: readonly PropertyKey[] = path) => {
    const name = at.length === 0 ? whole : at.map(part => cut(String(part), 64) || '""').join('.');
    return [name === '' ? problem : `${name}: ${problem}`];
  };
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.flatMap(key => say('is no known field', [...path, key]));
    case 'invalid_type':
      return say(
        issue.input === undefined && issue.expected !== 'nonoptional'
          ? `is required, ${kind(issue.expected)}`
          : `must be ${kind(issue.expected)}`,
      );
    case 'invalid_value':
      return say(oneOf(issue.values));
    case 'invalid_key':
      return issue.issues.flatMap(inner => say(`its name ${inner.message}`));
    case 'too_small':
    case 'too_big':
      return say(isPlain(issue.message) ? bound(issue) : issue.message);
    case 'invalid_union':
      return say('options' in issue && Array.isArray(issue.options) ? oneOf(issue.options) : 'is of no known kind');
    default:
      return say(issue.message);
  }
}

/** True for the parser's own words, false for a rule that says itself what it wants. */
const isPlain = (message: string) => /^Too (small|big): /.test(message);

function bound(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const [least, most] = issue.code === 'too_small' ? [issue.minimum, undefined] : [undefined, issue.maximum];
  const bounds = issue.inclusive === false ? ['less than', 'more than'] : ['at most', 'at least'];
  const limit = least === undefined ? `${bounds[0]} ${most}` : `${bounds[1]} ${least}`;
  if (issue.origin === 'string') return `must have ${limit} characters`;
  return issue.origin === 'array' || issue.origin === 'set' ? `must have ${limit} entries` : `must be ${limit}`;
}

const oneOf = (values: readonly unknown[]) => `must be ${values.map(value => JSON.stringify(value)).join(' or ')}`;

function kind(expected: string): string {
  if (expected === 'record') return 'an object';
  if (expected === 'int') return 'a whole number';
  return /^[aeio]/.test(expected) ? `an ${expected}` : `a ${expected}`;
}
