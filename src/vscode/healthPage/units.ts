import type { PageTexts } from './messages.ts';

/** How numbers and times are written. */
export interface Units {
  milliseconds(value: number): string;
  cores(value: number): string;
  bytes(value: number): string;
  percent(value: number): string;
  /** With the date, for a title or a table. */
  moment(at: number): string;
  /** As short as the ticks of an axis, which are `step` milliseconds apart, need it. */
  tick(at: number, step: number): string;
}

const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const day = 86_400_000;

const isMidnight = (at: number) => new Date(at).toTimeString().startsWith('00:00:00');

/** `{0}`, `{1}` stand for the values. */
export const fill = (text: string, ...values: string[]) =>
  text.replace(/\{(\d)\}/g, (place, index) => values[Number(index)] ?? place);

export function unitsOf(locale: string, texts: Pick<PageTexts, 'milliseconds'>): Units {
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const fine = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
  const three = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 });
  const share = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
  const moment = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
  const time = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
  const seconds = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  const date = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric' });
  return {
    milliseconds: value => fill(texts.milliseconds, whole.format(value)),
    cores: value => fine.format(value),
    bytes: value => {
      const power = Math.min(binary.length - 1, value < 1 ? 0 : Math.floor(Math.log2(value) / 10));
      return `${three.format(value / 1024 ** power)} ${binary[power]}`;
    },
    percent: value => share.format(value),
    moment: at => moment.format(at),
    tick: (at, step) => (step >= day || isMidnight(at) ? date : step >= 60_000 ? time : seconds).format(at),
  };
}
