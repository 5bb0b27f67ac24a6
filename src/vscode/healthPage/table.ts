import type { HealthSample } from '../../model/health.ts';
import { element } from './element.ts';
import type { PageTexts } from './messages.ts';
import type { Units } from './units.ts';

/** More rows than this nobody reads, and they would take long to lay out. */
const mostRows = 500;

/** The same as the plots, as a table; the latest first. What was never measured has no column. */
export function tableOf(samples: readonly HealthSample[], texts: PageTexts, units: Units): HTMLTableElement {
  const all: readonly (readonly [string, (sample: HealthSample) => string])[] = [
    [texts.time, ({ at }) => units.moment(Date.parse(at))],
    [texts.status, ({ status }) => texts.statuses[status]],
    [texts.latency, ({ latencyMs }) => written(latencyMs, units.milliseconds)],
    [texts.cpu, ({ cpuCores }) => written(cpuCores, units.cores)],
    [texts.memory, ({ memoryBytes }) => written(memoryBytes, units.bytes)],
    [texts.memoryLimit, ({ memoryLimitBytes }) => written(memoryLimitBytes, units.bytes)],
    [texts.disk, ({ diskUsedBytes }) => written(diskUsedBytes, units.bytes)],
    [texts.diskSize, ({ diskTotalBytes }) => written(diskTotalBytes, units.bytes)],
  ];
  const shown = samples.slice(-mostRows).toReversed();
  const columns = all.filter(([, write]) => shown.some(sample => write(sample) !== ''));
  const caption = fillCaption(texts, shown.length, samples.length);
  return element(
    'table',
    {},
    element('caption', {}, caption),
    element('thead', {}, element('tr', {}, ...columns.map(([title]) => element('th', { scope: 'col' }, title)))),
    element(
      'tbody',
      {},
      ...shown.map(sample =>
        element(
          'tr',
          { class: sample.status },
          ...columns.map(([, write], index) =>
            index === 0 ? element('th', { scope: 'row' }, write(sample)) : element('td', {}, write(sample)),
          ),
        ),
      ),
    ),
  );
}

const written = (value: number | undefined, write: (value: number) => string) =>
  value === undefined ? '' : write(value);

function fillCaption(texts: PageTexts, shown: number, all: number): string {
  const text = shown < all ? texts.captionCut : texts.caption;
  return text.replace('{0}', texts.title).replace('{1}', String(shown)).replace('{2}', String(all));
}
