import type { AuditEntry, AuditProblem } from '../core/auditLog.ts';
import { visible } from '../model/textCut.ts';
import type { Translate } from '../operations/translate.ts';

/** The audit log for reading: the latest first, one block an entry. */
export function auditText(entries: readonly AuditEntry[], nameOf: (id: string) => string, t: Translate): string {
  if (entries.length === 0) return t('Nothing fits, or nothing was logged yet.');
  return entries
    .toReversed()
    .map(entry => {
      const input = JSON.stringify(entry.arguments ?? {});
      const head = `${entry.time}  ${entry.phase.padEnd(9)}  ${entry.operation}  (${entry.caller} ${entry.actor})`;
      const lines = [
        entry.targets.length > 0 ? entry.targets.map(nameOf).join(', ') : undefined,
        input === '{}' ? undefined : input,
        entry.outcome === undefined
          ? undefined
          : [entry.outcome, entry.code && `[${entry.code}]`].filter(Boolean).join(' '),
      ];
      return [head, ...lines.filter(line => line !== undefined).map(line => `    ${line}`)]
        .map(withoutBreaks)
        .join('\n');
    })
    .join('\n');
}

/** So that nothing in an entry looks like another one. */
const withoutBreaks = (text: string) => visible(text).replace(/[\n\t\u2028\u2029]/g, ' ');

/** What a check of the chains found, in words. */
export function verdictText(problems: readonly AuditProblem[], t: Translate): string {
  if (problems.length === 0) return t('The audit log is as it was written.');
  const [first] = problems;
  return t(
    'The audit log was tampered with or damaged in {0} places. The first: line {1} of {2} {3}.',
    problems.length,
    first?.line ?? 0,
    first?.writer ?? '',
    first?.problem ?? '',
  );
}
