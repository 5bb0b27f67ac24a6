import { describe, expect, test } from 'vitest';
import { defaultHealthConfig } from '../../../src/model/config.ts';
import type { InstanceHealth } from '../../../src/model/health.ts';
import { inEnglish } from '../../../src/operations/translate.ts';
import { noticeOf } from '../../../src/vscode/healthNotices.ts';
import { healthText } from '../../../src/vscode/healthText.ts';
import { lifeOf } from '../../../src/vscode/healthTimeline.ts';
import { healthTooltip, sparkline } from '../../../src/vscode/healthTooltip.ts';
import { type RecoveryFacts, recoveryChoices } from '../../../src/vscode/recoveryChoices.ts';
import { summaryOf } from '../../../src/vscode/swarmSummary.ts';
import { attempt, check, crashLoop, healthOf, minutesAgo, noon, sample } from './healthFacts.ts';
import { record } from './rowFacts.ts';

const wording = { t: inEnglish, locale: 'en', now: noon };
const hostile = '[x](command:evil) ![y](http://z) $(flame) <b onclick=1>';

const tooltip = (change: Partial<InstanceHealth> = {}) =>
  healthTooltip({ kind: 'instance', record: record(1), health: healthOf(1, change) }, lifeOf(300), wording) ?? '';

describe('the tooltip', () => {
  test('tells how it is, its history, its checks, what was done and what comes next', () => {
    const text = tooltip({
      status: 'unhealthy',
      since: minutesAgo(2),
      reason: 'It does not run.',
      history: [sample(10), sample(2, { status: 'unhealthy' })],
      recovery: { attempts: [attempt(8), attempt(1, { outcome: 'failed', note: 'No port was free.' })] },
      next: { act: 'Restart it.' },
    });
    expect(text).toContain('### web\\-1');
    expect(text).toContain('$(error) **unhealthy** · 2 minutes ago');
    expect(text).toContain('80% available since');
    expect(text).toContain('Connectivity: Its editor server answered\\. \\(12 ms\\)');
    expect(text.indexOf('failed\\. No port was free')).toBeLessThan(text.indexOf('succeeded'));
    expect(text).toContain('$(arrow-right) Restart it\\.');
  });

  test('says nothing of what there is not', () => {
    const text = tooltip({ history: [], checks: [] });
    expect(text).toBe('### web\\-1\n\n$(pass) **healthy** · 1 hour ago');
  });

  test('nobody’s text becomes a link, an image, an icon or an element', () => {
    const text = tooltip({
      status: 'degraded',
      reason: hostile,
      checks: [check({ seen: hostile })],
      recovery: { attempts: [attempt(1, { note: hostile })] },
      next: { act: hostile },
    });
    expect(text.match(/command:evil/g)).toHaveLength(4);
    expect(text).not.toMatch(/(?<!\\)\[x|(?<!\\)\]\(|(?<!\\)\$\(flame|(?<!\\)<b/);
  });
});

describe('the sparkline', () => {
  test('is high where all is well, low where it is not, and one span for each colour', () => {
    expect(sparkline(['healthy', 'healthy', 'unhealthy', undefined, 'degraded'])).toBe(
      [
        '<span style="color:var(--vscode-testing-iconPassed);">▇▇</span>',
        '<span style="color:var(--vscode-testing-iconFailed);">▁</span>',
        '<span style="color:var(--vscode-widget-border);">▁</span>',
        '<span style="color:var(--vscode-list-warningForeground);">▅</span>',
      ].join(''),
    );
    expect(sparkline([])).toBe('');
  });
});

describe('the document that explains', () => {
  const text = (change: Partial<InstanceHealth> | undefined, config = defaultHealthConfig) =>
    healthText(record(1), change && healthOf(1, change), config, wording);

  test('has the verdict, the evidence, what was done, what comes next and what to do', () => {
    const document = text({ status: 'unhealthy', recovery: { attempts: [attempt(6)], crashLoop } });
    expect(document).toMatch(/^# Health of web\\-1\n\n\*\*Crash loop\*\* since /);
    for (const part of ['What was seen', 'What happens next', 'What was done', 'How it was', 'What you can do']) {
      expect(document).toContain(`## ${part}\n\n`);
    }
    expect(document).toContain('| Connectivity | passed | Its editor server answered\\. | 3 | just now | 12 ms |');
    expect(document).toContain('Reset Crash Loop');
  });

  test.each([
    ['out of memory', { recovery: { attempts: [attempt(9), attempt(8)].map(oom) } }, /bigger size/],
    ['a full disk', { status: 'degraded', checks: [fullDisk()] }, /Delete files/],
    ['paused', { pausedSince: minutesAgo(1) }, /Resume Monitoring/],
    ['unknown', { status: 'unknown' }, /provider in the view Instances/],
    ['healthy', {}, /Nothing has to be done/],
  ] as const)('%s: tells the step that helps', (_, change, step) => {
    expect(text(change as unknown as Partial<InstanceHealth>)).toMatch(step);
  });

  test('says that recovery is off, and that nothing was seen yet', () => {
    expect(text({ status: 'unhealthy' }, { ...defaultHealthConfig, autoRecover: false })).toContain('autoRecover');
    expect(text(undefined)).toContain('It was not looked at yet');
    expect(text(undefined, { ...defaultHealthConfig, enabled: false })).toMatch(/health\\\.enabled/);
  });

  test('no text breaks its tables or becomes markup', () => {
    const document = text({ status: 'degraded', reason: hostile, checks: [check({ seen: `a | b ${hostile}` })] });
    expect(document).not.toMatch(/(?<!\\)\[x|(?<!\\)\]\(|(?<!\\)<b/);
    const rows = document.split('\n').filter(line => line.startsWith('| Connectivity'));
    expect(rows[0]?.match(/(?<!\\)\|/g)).toHaveLength(7);
  });
});

function oom(one: ReturnType<typeof attempt>) {
  return { ...one, cause: 'out-of-memory' as const };
}
function fullDisk() {
  return check({ name: 'resources', outcome: 'failed', seen: 'Its disk is full.' });
}

describe('what a person is told of', () => {
  test('is a crash loop, memory that is short again and again, and a full disk; nothing else', () => {
    expect(noticeOf(healthOf(1))).toBeUndefined();
    expect(noticeOf(healthOf(1, { status: 'unhealthy', recovery: { attempts: [oom(attempt(3))] } }))).toBeUndefined();
    expect(noticeOf(healthOf(1, { status: 'degraded', checks: [check({ outcome: 'warned' })] }))).toBeUndefined();
    const attempts = [oom(attempt(9)), attempt(7), oom(attempt(5))];
    expect(noticeOf(healthOf(1, { recovery: { attempts } }))).toMatchObject({
      kind: 'out-of-memory',
      since: minutesAgo(9),
    });
    expect(noticeOf(healthOf(1, { recovery: { attempts, crashLoop } }))).toMatchObject({
      kind: 'crash-loop',
      since: crashLoop.since,
      needsMemory: true,
    });
    expect(noticeOf(healthOf(1, { status: 'degraded', checks: [fullDisk()] }))?.kind).toBe('disk-full');
  });

  test('is nothing while a person has paused it', () => {
    const recovery = { attempts: [], crashLoop };
    expect(noticeOf(healthOf(1, { recovery, pausedSince: minutesAgo(1) }))).toBeUndefined();
  });

  test('is the same event however often it is looked at', () => {
    const attempts = [oom(attempt(9)), oom(attempt(5))];
    const later = [...attempts, oom(attempt(1))];
    const [one, other] = [attempts, later].map(list => noticeOf(healthOf(1, { recovery: { attempts: list } })));
    expect(other?.since).toBe(one?.since);
  });
});

describe('the acts of recovery', () => {
  const choices = (change: Partial<InstanceHealth> = {}, facts: Partial<RecoveryFacts> = {}) => {
    const known = { record: record(1), health: healthOf(1, change), config: defaultHealthConfig, now: noon };
    return recoveryChoices({ ...known, hasHome: true, canMigrate: false, ...facts });
  };

  test('begin with the mildest that is left, and end with those that cannot be used, with the reason', () => {
    const [first, second, third] = choices();
    expect([first, second]).toMatchObject([
      { rung: 'restart', proposed: true },
      { rung: 'recreate', proposed: false },
    ]);
    expect(third).toMatchObject({ rung: 'migrate', refusal: expect.stringMatching(/\.$/), proposed: false });
    const used = { recovery: { attempts: [attempt(3), attempt(2), attempt(1)] } };
    expect(choices(used)[0]).toMatchObject({ rung: 'recreate', proposed: true });
  });

  test('propose nothing that the settings forbid while there is another, nor a restart of what is gone', () => {
    const used = { recovery: { attempts: [attempt(3), attempt(2), attempt(1)] } };
    expect(choices(used, { config: { ...defaultHealthConfig, recoveryActions: ['restart'] } })[0]?.rung).toBe(
      'restart',
    );
    const gone = { checks: [check({ name: 'provider', outcome: 'failed' })] };
    expect(choices(gone)[0]?.rung).toBe('recreate');
  });

  test('hold a migration where another provider can take it', () => {
    expect(choices({}, { canMigrate: true }).map(({ refusal }) => refusal)).toEqual([undefined, undefined, undefined]);
  });

  test('a home that is not proven is not made anew around', () => {
    const all = choices({}, { hasHome: undefined });
    expect(all.find(({ rung }) => rung === 'recreate')?.refusal).toMatch(/home/);
    expect(all.filter(({ proposed }) => proposed)).toHaveLength(1);
  });
});

describe('the status bar', () => {
  const summary = (change: Partial<InstanceHealth>) =>
    summaryOf([record(1), record(2)], [], id => (id === healthOf(1).id ? healthOf(1, change) : undefined), inEnglish);

  test.each([
    ['healthy', {}, 'calm', 'instances'],
    ['degraded', { status: 'degraded' }, 'warning', 'health'],
    ['unhealthy', { status: 'unhealthy' }, 'error', 'health'],
    ['in a crash loop', { status: 'unknown', recovery: { attempts: [], crashLoop } }, 'error', 'health'],
    ['unknown', { status: 'unknown' }, 'calm', 'instances'],
    ['paused', { status: 'unhealthy', pausedSince: minutesAgo(1) }, 'calm', 'instances'],
  ] as const)('%s: colours and opens what fits', (_, change, level, opens) => {
    expect(summary(change as unknown as Partial<InstanceHealth>)).toMatchObject({ level, opens });
  });

  test('says which and why, that first; a recovery spins', () => {
    const told = summary({ status: 'unhealthy', reason: 'Its editor server fails: it refused.' });
    const [, first] = told?.tooltip.split('\n\n') ?? [];
    expect(first).toBe('$(error) web\\-1 · unhealthy: Its editor server fails: it refused\\.');
    expect(told?.spoken).toContain('1 in trouble');
    expect(summary({ status: 'recovering' })).toMatchObject({ text: '$(sync~spin) 2/2', level: 'calm' });
  });

  test('an instance that failed and is unhealthy is counted once', () => {
    const failed = record(1, { status: 'failed' });
    const told = summaryOf([failed], [], () => healthOf(1, { status: 'unhealthy' }), inEnglish);
    expect(told?.spoken).toContain('1 in trouble');
  });
});
